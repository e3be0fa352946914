"""Server-sent events: one JSON record per frame with its id behind it, and bare pings while nothing happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from django.http import StreamingHttpResponse

from difyproj.infra import db
from difyproj.kernel import jsonio
from difyproj.kernel.errors import Unauthorized

from .errors import envelope

PING = b"event: ping\n\n"
PING_SECONDS = 10.0
RECHECK_SECONDS = 2.0
ACCESS_ENDED = "Access has ended. Please sign in again."


class RecordSource(Protocol):
    """Numbered public records; the door's subscriptions are such sources."""

    finished: bool

    async def next(self, seconds: float | None = None) -> Sequence[tuple[int, dict[str, Any]]]: ...
    def poke(self) -> None: ...
    def cancel(self) -> None: ...


class EventStream(StreamingHttpResponse):
    """``text/event-stream`` of a record source. Proxies are told not to buffer it."""

    def __init__(self, source: RecordSource, *, allowed: Callable[[], bool] | None = None, form: Form | None = None) -> None:
        self.frames = frames(source, allowed, form or NUMBERED)
        super().__init__(self.frames, content_type="text/event-stream")
        self.headers["Cache-Control"] = "no-cache"
        self.headers["X-Accel-Buffering"] = "no"


def frame(number: int, record: dict[str, Any]) -> bytes:
    """The id comes behind the data: simple clients look at a frame's first bytes."""
    return b"data: %b\nid: %d\n\n" % (jsonio.dumps(record), number)


class Ticks:
    """One is due every so many ``seconds`` of elapsed time; the source is poked then."""

    def __init__(self, source: RecordSource, seconds: float) -> None:
        self._source = source
        self._seconds = seconds
        self._due = False
        self._set()

    def take(self) -> bool:
        due, self._due = self._due, False
        return due

    def stop(self) -> None:
        self._timer.cancel()

    def _set(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ring)

    def _ring(self) -> None:
        self._due = True
        self._source.poke()
        self._set()


@dataclass(frozen=True, slots=True)
class Form:
    """How a family of routes writes its streams: a frame, the sign of life, and what stands behind the last frame."""

    frame: Callable[[int, dict[str, Any]], bytes]
    ping: bytes
    end: bytes = b""


NUMBERED = Form(frame, PING)


async def frames(
    source: RecordSource, allowed: Callable[[], bool] | None = None, form: Form = NUMBERED
) -> AsyncGenerator[bytes, None]:
    """Frames, all that wait at once, and the pings between them.

    ``allowed`` is asked every ``RECHECK_SECONDS``, in a thread of the database: once it says no, an error ends the stream.
    """
    pings = Ticks(source, PING_SECONDS)
    checks = Ticks(source, RECHECK_SECONDS) if allowed is not None else None
    try:
        while not source.finished:
            records = await source.next()
            if checks is not None and allowed is not None and checks.take() and not await db.run(allowed):
                yield b"data: %b\n\n" % jsonio.dumps({"event": "error", **envelope(Unauthorized(ACCESS_ENDED))})
                return
            if records:
                yield b"".join([form.frame(number, record) for number, record in records])
            if pings.take() and not source.finished:
                yield form.ping
        if form.end:
            yield form.end
    finally:
        pings.stop()
        if checks is not None:
            checks.stop()
        source.cancel()
