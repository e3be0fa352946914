"""The answer to an outbound call while it is read: pieces, a size limit, and a watch on silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import aiohttp

from .clock import monotonic
from .egress_errors import EgressTooLarge, translated

READ_LIMIT = 10 * 1024 * 1024


class Response:
    """``silence`` bounds in seconds how long a reader waits for the next piece, ``deadline`` (by the monotonic clock) the whole
    exchange; None is for ever."""

    __slots__ = (
        "_deadline",
        "_held",
        "_is_watched",
        "_raw",
        "_silence",
        "_waiting_since",
        "_watch",
        "headers",
        "status",
        "url",
    )

    def __init__(self, raw: aiohttp.ClientResponse, silence: float | None = None, deadline: float | None = None) -> None:
        self._raw = raw
        self._silence = silence
        self._deadline = deadline
        self._held: asyncio.TimerHandle | None = None
        self._is_watched = False
        self._waiting_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self.status: int = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self.url: str = str(raw.url)

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        pieces: list[bytes] = []
        size = 0
        async for piece in self.chunks():
            size += len(piece)
            if size > limit:
                self.close()
                raise EgressTooLarge(f"The answer of {self._raw.url.host} is larger than {limit} bytes.", retryable=False)
            pieces.append(piece)
        return b"".join(pieces)

    async def chunks(self) -> AsyncIterator[bytes]:
        try:
            while piece := await self.next():
                yield piece
        finally:
            self._stop_watch()

    async def next(self) -> bytes:
        if not self._is_watched:
            self._start_watch()
        self._waiting_since = monotonic()
        try:
            piece = await self._raw.content.readany()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._stop_watch()
            raise translated(error, self._raw.url.host or "") from None
        self._waiting_since = None
        if not piece:
            self._stop_watch()
        return piece

    def hold(self, seconds: float) -> None:
        """Leave what arrives on the socket for so long: taken at once, each packet wakes the process."""
        connection = self._raw.connection
        if self._held is None and connection is not None and connection.transport is not None:
            connection.transport.pause_reading()
            self._held = asyncio.get_running_loop().call_later(seconds, self._let_go)

    def close(self) -> None:
        """Ends an unfinished exchange at once; a finished one has already given its connection back."""
        self._stop_watch()
        connection = self._raw.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self._raw.close()

    def _let_go(self) -> None:
        if self._held is None:
            return
        self._held.cancel()
        self._held = None
        connection = self._raw.connection
        if connection is not None and connection.transport is not None:
            connection.transport.resume_reading()

    def _start_watch(self) -> None:
        """One timer per exchange that looks how long the reader has waited: the library would set one anew for every piece."""
        self._is_watched = True
        connection = self._raw.connection
        if self._watch is not None or connection is None or connection.protocol is None:
            return
        connection.protocol.read_timeout = None
        if self._silence is not None or self._deadline is not None:
            self._look()

    def _stop_watch(self) -> None:
        self._let_go()
        self._is_watched = False
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _look(self) -> None:
        """End the exchange when a bound has passed, else look again when the next one may."""
        now = monotonic()
        bounds = [] if self._deadline is None else [self._deadline]
        if self._silence is not None:
            bounds.append((now if self._waiting_since is None else self._waiting_since) + self._silence)
        left = min(bounds) - now
        if left <= 0:
            self._raw.content.set_exception(aiohttp.SocketTimeoutError("no piece in time"))
            return
        self._watch = asyncio.get_running_loop().call_later(left, self._look)
