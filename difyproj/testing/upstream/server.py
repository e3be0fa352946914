"""An HTTP server on a loopback socket, small enough to break its answers at any byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from difyproj.kernel import jsonio

from .script import BadRequest, Document, Frames, Received, Script
from .wires import WIRES

BODY_LIMIT = 64 * 1024 * 1024
_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


class _Gone(Exception):
    """The client has closed its side."""


class _Connection(asyncio.StreamReaderProtocol):
    """A stream that knows at once, without reading, that its client left."""

    def __init__(self, upstream: FakeUpstream) -> None:
        self.gone = asyncio.Event()
        self.serving: asyncio.Task[None] | None = None
        self.transport: asyncio.BaseTransport | None = None
        super().__init__(asyncio.StreamReader(limit=BODY_LIMIT), self._serve)
        self._upstream = upstream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        super().connection_made(transport)

    def eof_received(self) -> bool:
        self.gone.set()
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving = asyncio.current_task()
        try:
            while await self._upstream.serve_one(reader, writer, self.gone):
                pass
        except (_Gone, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


class FakeUpstream:
    """``async with FakeUpstream(wire="openai", script=Script(tokens=["Hi"])) as up``: then call ``up.url``.

    ``requests`` counts all requests, ``connections`` the sockets they came by, ``aborted`` the streams whose client left
    before the end, ``open`` those still running.
    ``script`` may be replaced at any time; it holds for the next request. ``choose``, if set, gives each request its own.
    """

    def __init__(self, wire: str = "openai", script: Script | None = None, *, port: int = 0) -> None:
        self.script = script or Script()
        self.choose: Callable[[Received], Script] | None = None
        self.requests = 0
        self.aborted = 0
        self.open = 0
        self.received: list[Received] = []
        self.url = ""
        self._port = port
        self._wire = WIRES.get(wire)()
        self._failures = 0
        self._changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    @property
    def connections(self) -> int:
        return len(self._connections)

    @property
    def last(self) -> Received:
        """The newest request."""
        return self.received[-1]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            self._connection, "127.0.0.1", self._port, reuse_port=bool(self._port)
        )
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            if connection.transport is not None:
                connection.transport.close()
            connection.gone.set()
        serving = [connection.serving for connection in self._connections if connection.serving is not None]
        await asyncio.gather(*serving, return_exceptions=True)

    async def until(self, condition: Any, seconds: float = 5.0) -> None:
        """Waits until ``condition()``, over the counters, is true. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _connection(self) -> _Connection:
        connection = _Connection(self)
        self._connections.add(connection)
        return connection

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event) -> bool:
        """Answers one request; False ends the connection."""
        request = await _read(reader)
        self.requests += 1
        self.received.append(request)
        self._changed.set()
        script = self.choose(request) if self.choose else self.script
        if script.hang == "before":
            return await self._hang(gone)
        status = self._status(script, request)
        if status:
            extra = "" if script.retry_after is None else f"Retry-After: {script.retry_after:g}\r\n"
            body = jsonio.dumps(self._wire.error(status, script.fail_message))
            await _send_document(writer, Document(body), status, extra)
            return True
        try:
            return await self._answer(script, request, writer, gone)
        except BadRequest as error:
            await _send_document(writer, Document(jsonio.dumps(self._wire.error(error.status, str(error)))), error.status)
            return True

    def _status(self, script: Script, request: Received) -> int:
        sent = request.path + "".join(request.headers.values())
        for key, status in script.keys.items():
            if key in sent:
                return status
        if script.fail and (script.fail_times is None or self._failures < script.fail_times):
            self._failures += 1
            return script.fail
        return 0

    async def _answer(self, script: Script, request: Received, writer: asyncio.StreamWriter, gone: asyncio.Event) -> bool:
        if isinstance(request.body, dict) and script.refuse_field in request.body:
            raise BadRequest(f"Unknown parameter: '{script.refuse_field}'.")
        if not self._wire.is_stream(request) or script.whole:
            await _send_document(writer, self._wire.document(script, request), dribble=script.dribble)
            return True
        frames = self._wire.frames(script, self._wire.understand(request), request)
        self.open += 1
        self._changed.set()
        try:
            return await _Sending(script, frames, writer, gone).run()
        except (_Gone, ConnectionError):
            self.aborted += 1
            return False
        finally:
            self.open -= 1
            self._changed.set()

    async def _hang(self, gone: asyncio.Event) -> bool:
        self.open += 1
        self._changed.set()
        await gone.wait()
        self.open -= 1
        self.aborted += 1
        self._changed.set()
        return False


class _Sending:
    """Sends one streamed answer as its script says."""

    def __init__(self, script: Script, frames: Frames, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        self._script = script
        self._frames = frames
        self._writer = writer
        self._gone = gone

    async def run(self) -> bool:
        script, frames = self._script, self._frames
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {frames.content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        await self._send(head.encode())
        if script.hang == "first":
            await self._leave()
        await self._pause(script.first_delay)
        waiting = [*frames.begin]
        for number, piece in enumerate(frames.pieces):
            if number == script.disconnect_after:
                await self._flush(waiting)
                self._writer.transport.abort()
                return False
            if number < script.malformed:
                waiting.append(frames.garbage)
            waiting.append(piece)
            if script.delay or script.dribble:
                await self._flush(waiting)
                await self._pause(script.delay)
        if script.hang == "end":
            await self._flush(waiting)
            await self._leave()
        await self._flush(waiting if script.cut_end else [*waiting, *frames.end])
        await self._send(b"0\r\n\r\n")
        return True

    async def _flush(self, frames: list[bytes]) -> None:
        """One HTTP chunk per frame, all in one write."""
        await self._send(b"".join(b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames if frame))
        frames.clear()

    async def _send(self, data: bytes) -> None:
        if self._gone.is_set():
            raise _Gone
        for piece in (data[at : at + 1] for at in range(len(data))) if self._script.dribble else (data,):
            self._writer.write(piece)
            if self._script.dribble:
                await asyncio.sleep(0)
        await self._writer.drain()

    async def _pause(self, seconds: float) -> None:
        if seconds:
            try:
                await asyncio.wait_for(self._gone.wait(), seconds)
            except TimeoutError:
                return
            raise _Gone

    async def _leave(self) -> None:
        await self._gone.wait()
        raise _Gone


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = head.split("\r\n")
    method, path, _ = start.split(" ", 2)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        raw = await _chunked(reader)
    else:
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
    body: Any = raw
    if raw and "json" in headers.get("content-type", ""):
        body = jsonio.loads(raw)
    return Received(method, path, headers, body, raw)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    pieces: list[bytes] = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(pieces)


async def _send_document(
    writer: asyncio.StreamWriter, document: Document, status: int = 200, extra: str = "", *, dribble: bool = False
) -> None:
    head = f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\nContent-Type: {document.content_type}\r\n{extra}"
    data = f"{head}Content-Length: {len(document.body)}\r\n\r\n".encode() + document.body
    for piece in (data[at : at + 1] for at in range(len(data))) if dribble else (data,):
        writer.write(piece)
        if dribble:
            await asyncio.sleep(0)
    await writer.drain()
