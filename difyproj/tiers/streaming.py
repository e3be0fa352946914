"""Server-sent events: one JSON record per frame with its id behind it, and bare pings while nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from django.http import StreamingHttpResponse

from difyproj.kernel import jsonio

PING = b"event: ping\n\n"
PING_SECONDS = 10.0


class RecordSource(Protocol):
    """Numbered public records; the door's subscriptions are such sources."""

    finished: bool

    async def next(self, seconds: float | None = None) -> list[tuple[int, dict[str, Any]]]: ...
    def poke(self) -> None: ...
    def cancel(self) -> None: ...


class EventStream(StreamingHttpResponse):
    """``text/event-stream`` of a record source. Proxies are told not to buffer it."""

    def __init__(self, source: RecordSource) -> None:
        self.frames = frames(source)
        super().__init__(self.frames, content_type="text/event-stream")
        self.headers["Cache-Control"] = "no-cache"
        self.headers["X-Accel-Buffering"] = "no"


def frame(number: int, record: dict[str, Any]) -> bytes:
    """The id comes behind the data: simple clients look at a frame's first bytes."""
    return b"data: %b\nid: %d\n\n" % (jsonio.dumps(record), number)


class Pings:
    """One is due every ``PING_SECONDS`` of elapsed time; the source is poked then."""

    def __init__(self, source: RecordSource) -> None:
        self._source = source
        self._due = False
        self._set()

    def take(self) -> bool:
        due, self._due = self._due, False
        return due

    def stop(self) -> None:
        self._timer.cancel()

    def _set(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PING_SECONDS, self._ring)

    def _ring(self) -> None:
        self._due = True
        self._source.poke()
        self._set()


async def frames(source: RecordSource) -> AsyncGenerator[bytes, None]:
    """Frames, all that wait at once, and the pings between them."""
    pings = Pings(source)
    try:
        while not source.finished:
            records = await source.next()
            if records:
                yield b"".join([frame(number, record) for number, record in records])
            if pings.take() and not source.finished:
                yield PING
    finally:
        pings.stop()
        source.cancel()
