"""A light HTTP/1.1 client for load: raw protocol, keep-alive, bodies read at their end, the first event's time kept."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from bench.wire import encode

_LAST_CHUNK = b"\r\n0\r\n\r\n"
_EVENT = b"data: "


@dataclass(slots=True)
class Exchange:
    """One request and its answer; times are CLOCK_MONOTONIC seconds, 0 until they happen.

    From `first` on `body` holds what had come by then, still in HTTP chunks; at the end it holds the whole payload.
    """

    sent_at: float = 0.0
    first_at: float = 0.0
    done_at: float = 0.0
    status: int = 0
    body: bytes = b""
    first: asyncio.Event = field(default_factory=asyncio.Event)


class BrokenConnection(Exception):
    """The server closed before the answer was complete; `fresh` when nothing of the answer had come."""

    def __init__(self, fresh: bool) -> None:
        super().__init__("closed before any answer" if fresh else "closed in the middle of the answer")
        self.fresh = fresh


def unchunk(data: bytes) -> bytes:
    """The payload of a complete chunked body."""
    parts, at = [], 0
    while (line := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line].partition(b";")[0], 16)
        if size == 0:
            break
        parts.append(data[line + 2 : line + 2 + size])
        at = line + 2 + size + 2
    return b"".join(parts)


class Connection(asyncio.Protocol):
    """One connection, one exchange at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._done: asyncio.Future[None] | None = None
        self._buffer = bytearray()
        self._body_at = 0
        self._length = -1
        self._chunked = False

    @property
    def usable(self) -> bool:
        """Whether the next request may go out here."""
        return self._transport is not None and not self._transport.is_closing() and self._done is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._done is None or self._done.done():
            return
        if self._body_at and self._length == -1 and not self._chunked:
            self._finish()
        else:
            self._done.set_exception(BrokenConnection(fresh=not self._buffer))

    def close(self) -> None:
        """Hangs up."""
        if self._transport:
            self._transport.close()

    async def run(self, request: bytes, exchange: Exchange) -> None:
        """Sends `request` and fills `exchange`. Raises BrokenConnection."""
        if self._transport is None:
            raise BrokenConnection(fresh=True)
        self._exchange, self._done = exchange, asyncio.get_running_loop().create_future()
        self._buffer.clear()
        self._body_at, self._length, self._chunked = 0, -1, False
        exchange.sent_at = time.monotonic()
        self._transport.write(request)
        try:
            await self._done
        except BaseException:
            self.close()
            raise
        finally:
            self._exchange = self._done = None

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        self._buffer += data
        if not self._body_at and not self._read_head(exchange):
            return
        if not exchange.first_at and self._buffer.find(_EVENT, self._body_at) >= 0:
            exchange.first_at = time.monotonic()
            exchange.body = bytes(self._buffer[self._body_at :])
            exchange.first.set()
        if self._chunked:
            if self._buffer.endswith(_LAST_CHUNK) or self._buffer[self._body_at :] == b"0\r\n\r\n":
                self._finish()
        elif self._length >= 0 and len(self._buffer) - self._body_at >= self._length:
            self._finish()

    def _read_head(self, exchange: Exchange) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._buffer[:end]).lower()
        exchange.status = int(head[9:12])
        self._body_at = end + 4
        self._chunked = b"transfer-encoding: chunked" in head
        if (at := head.find(b"\r\ncontent-length:")) >= 0:
            self._length = int(head[at + 17 :].partition(b"\r\n")[0])
        elif exchange.status == 204:
            self._length = 0
        return True

    def _finish(self) -> None:
        assert self._exchange is not None and self._done is not None
        self._exchange.done_at = time.monotonic()
        body = bytes(self._buffer[self._body_at :])
        self._exchange.body = unchunk(body) if self._chunked else body
        self._exchange.first.set()
        if not self._done.done():
            self._done.set_result(None)


class Client:
    """Requests to one server over kept-alive connections; opens as many as run at once."""

    def __init__(self, base_url: str, token: str = "") -> None:
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        self._idle: list[Connection] = []

    def build(self, method: str, path: str, body: object = None) -> bytes:
        """The bytes of one request, JSON body included."""
        payload = b"" if body is None else encode(body)
        content = f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n" if payload else ""
        opening = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nAccept: */*\r\n"
        return f"{opening}{self._authorization}{content}\r\n".encode() + payload

    async def run(self, request: bytes, exchange: Exchange | None = None, seconds: float = 300) -> Exchange:
        """Sends a request and waits for its whole answer. Raises BrokenConnection, OSError, TimeoutError."""
        exchange = exchange or Exchange()
        async with asyncio.timeout(seconds):
            while self._idle:
                connection = self._idle.pop()
                if not connection.usable:
                    continue
                try:
                    return await self._run_on(connection, request, exchange)
                except BrokenConnection as error:
                    if not error.fresh:
                        raise
            return await self._run_on(await self._open(), request, exchange)

    def close(self) -> None:
        """Closes the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _open(self) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(Connection, self._host, self._port)
        return connection

    async def _run_on(self, connection: Connection, request: bytes, exchange: Exchange) -> Exchange:
        await connection.run(request, exchange)
        if connection.usable:
            self._idle.append(connection)
        return exchange
