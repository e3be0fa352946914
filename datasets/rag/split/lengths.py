# ruff: noqa: RUF001  the wide punctuation is meant
"""Stretches of text no longer than so many tokens, parted where it reads best: paragraph, line, sentence, clause, word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from .piece import Counter, Span

_LEVELS: Final = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n"),
    re.compile(r"[。！？；…]+[”’」』）》]*|[.!?;][\"'”’)\]]*\s+"),
    re.compile(r"[，、：]|[,:]\s+"),
    re.compile(r"\s+"),
)
_STOPS: Final = re.compile(r"[。！？\n]|[.!?]\s+")
_SPACE: Final = re.compile(r"\s+|[，、；]")

Stretch = tuple[int, int, int]
"""Start, end, tokens."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Cuts a text. Tokens of neighbours are added up, so that a passage is at times a little shorter than it might be."""

    count: Counter
    most: int
    overlap: int = 0

    def spans(self, text: str, start: int = 0, end: int | None = None) -> Iterator[Span]:
        """As long as they may be; each begins with the end of the one before, if the overlap says so."""
        yield from self.joined(text, self.stretches(text, start, len(text) if end is None else end))

    def stretches(self, text: str, start: int, end: int, level: int = 0) -> Iterator[Stretch]:
        """All of the text, cut no finer than it must be."""
        tokens = self.count(text[start:end])
        if tokens <= self.most:
            yield start, end, tokens
        elif level == len(_LEVELS):
            yield from self._hard(text, start, end, tokens)
        else:
            at = start
            for found in _LEVELS[level].finditer(text, start, end):
                if found.end() > at:
                    yield from self.stretches(text, at, found.end(), level + 1)
                    at = found.end()
            if at < end:
                yield from self.stretches(text, at, end, level + 1)

    def joined(self, text: str, stretches: Iterator[Stretch]) -> Iterator[Span]:
        start, end, held = -1, -1, 0
        for first, last, tokens in stretches:
            if start >= 0 and held + tokens > self.most:
                yield Span(start, end)
                start, held = self._again(text, start, end, held, self.most - tokens)
            if start < 0:
                start = first
            end, held = last, held + tokens
        if start >= 0:
            yield Span(start, end)

    def _hard(self, text: str, start: int, end: int, tokens: int) -> Iterator[Stretch]:
        step = max(1, (end - start) * self.most // tokens)
        while start < end:
            last = min(end, start + step)
            tokens = self.count(text[start:last])
            while tokens > self.most and last > start + 1:
                last = start + (last - start) // 2
                tokens = self.count(text[start:last])
            yield start, last, tokens
            start = last

    def _again(self, text: str, start: int, end: int, held: int, room: int) -> tuple[int, int]:
        """Where the next passage begins: with the last sentences of this one, as many as the overlap and the room allow."""
        most = min(self.overlap, room)
        if most <= 0:
            return -1, 0
        earliest = max(start + 1, end - (end - start) * most // max(held, 1))
        stop = _STOPS.search(text, earliest, end) or _SPACE.search(text, earliest, end)
        begin = stop.end() if stop is not None and stop.end() < end else earliest
        tokens = self.count(text[begin:end])
        return (begin, tokens) if tokens <= room and text[begin:end].strip() else (-1, 0)
