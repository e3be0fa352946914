"""Async iterators of deltas: close them for certain, end them at stop words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar, Self, TypeVar

from difyproj.kernel.clock import monotonic

from .messages import Delta, TokenUsage

T = TypeVar("T")
_EMPTY = Delta()

PIECE_SECONDS, LONGEST_PIECE_SECONDS = 0.05, 0.1
FREE_PIECES = 4.0
# With more streams than this in the process each is read less often.
BUSY_STREAMS = 20


class Pace:
    """Reads a steady stream 20 times a second, in a busy process 10 times, however finely it is cut.

    Text faster than that is joined on the socket: nobody sees the difference, and each piece costs the same work down to the
    reader. The first pieces, and every piece of a slow stream, pass at once.
    """

    __slots__ = ("_at", "_free", "_rested")
    _open: ClassVar[int] = 0

    def __init__(self) -> None:
        self._free = FREE_PIECES
        self._at = monotonic()
        self._rested = False

    def __enter__(self) -> Self:
        Pace._open += 1
        return self

    def __exit__(self, *error: object) -> None:
        Pace._open -= 1

    def rest(self) -> float:
        """Seconds in which what arrives is better left alone, before the next piece is read.

        Who comes late from a rest does not hurry then: a busy process reads larger pieces.
        """
        piece = min(max(Pace._open / BUSY_STREAMS, 1.0) * PIECE_SECONDS, LONGEST_PIECE_SECONDS)
        since = monotonic() - self._at
        if self._rested and 0.0 < since < piece:
            self._at, since = self._at + since, 0.0
        self._free = min(FREE_PIECES, self._free + since / piece) - 1.0
        rest = max(0.0, -self._free * piece)
        self._at += since + rest
        self._free = max(0.0, self._free)
        self._rested = rest > 0.0
        return rest


@asynccontextmanager
async def closing(source: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Closes ``source`` on the way out, so that an upstream socket never waits for the garbage collector."""
    try:
        yield source
    finally:
        generator: Any = source
        await generator.aclose()


async def until_stop(source: AsyncIterator[Delta | TokenUsage], stop: Sequence[str]) -> AsyncIterator[Delta | TokenUsage]:
    """Ends the text before the first stop word, for models whose wire takes none. Holds back what may begin one."""
    held = ""
    async with closing(source) as items:
        async for item in items:
            if not isinstance(item, Delta):
                yield item
                continue
            text = held + item.text
            cut = min((at for at in (text.find(word) for word in stop) if at >= 0), default=-1)
            if cut >= 0:
                yield replace(item, text=text[:cut], finish_reason="stop")
                return
            keep = 0 if item.finish_reason else _overlap(text, stop)
            held = text[len(text) - keep :] if keep else ""
            shown = replace(item, text=text[: len(text) - keep])
            if shown != _EMPTY:
                yield shown
    if held:
        yield Delta(text=held)


def _overlap(text: str, stop: Sequence[str]) -> int:
    """How many characters at the end of ``text`` may be the beginning of a stop word."""
    longest = 0
    for word in stop:
        for size in range(min(len(word) - 1, len(text)), longest, -1):
            if word.startswith(text[-size:]):
                longest = size
                break
    return longest
