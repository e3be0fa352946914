"""Markdown by its headings: a passage knows the headings above it, a part of a table its head."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from .lengths import Lengths, Stretch
from .piece import Span

_LINE: Final = re.compile(r"^(?:(#{1,6})[ \t]+(\S[^\n]*)|([ ]{0,3}(?:```|~~~))[^\n]*|[ ]{0,3}\|[^\n]*\|[ \t]*)$", re.MULTILINE)
_RULE: Final = re.compile(r"[ ]{0,3}\|[ \t:|-]{1,1000}\|[ \t]{0,20}\n")
_BLANK: Final = re.compile(r"\n[ \t]*\n\s*")
_LONGEST_HEADING: Final = 200
_SMALL: Final = 5
"""A section of less than a fifth of a passage is told together with what follows."""


@dataclass(frozen=True, slots=True)
class _Heading:
    start: int
    end: int
    level: int
    path: tuple[str, ...]

    @property
    def context(self) -> str:
        """The headings above this one."""
        return " > ".join(self.path[:-1])

    @property
    def inside(self) -> str:
        """What its text is told after the first passage: this one too."""
        return " > ".join(filter(None, self.path))


@dataclass(frozen=True, slots=True)
class _Section:
    """From one heading to the next, or several of them; ``is_bare`` without a text."""

    start: int
    end: int
    tokens: int
    context: str
    inside: str
    is_bare: bool

    def with_next(self, other: _Section) -> _Section:
        inside = other.inside if self.is_bare else self.inside
        return _Section(self.start, other.end, self.tokens + other.tokens, self.context, inside, self.is_bare and other.is_bare)


@dataclass(slots=True)
class _Layout:
    """What stands where in a window: headings, fenced code, tables with the ends of their heads."""

    headings: list[_Heading] = field(default_factory=list)
    fences: list[tuple[int, int]] = field(default_factory=list)
    tables: list[tuple[int, int, int]] = field(default_factory=list)


class Sections:
    """Remembers from one window to the next under which headings it is."""

    def __init__(self, lengths: Lengths) -> None:
        self._lengths = lengths
        self._path: list[tuple[int, str]] = []

    def spans(self, text: str) -> Iterator[Span]:
        before = tuple(name for _, name in self._path)
        layout = self._layout(text)
        starts = [_Heading(0, 0, 0, (*before, "")), *layout.headings]
        bounds = [*(heading.start for heading in starts), len(text)]
        held: _Section | None = None
        for heading, (start, end) in zip(starts, pairwise(bounds), strict=True):
            if not text[start:end].strip():
                continue
            tokens = self._lengths.count(text[start:end])
            section = _Section(start, end, tokens, heading.context, heading.inside, not text[heading.end : end].strip())
            if held is not None and self._belong(held, section):
                held = held.with_next(section)
                continue
            if held is not None:
                yield from self._section(text, layout, held)
            held = section
        if held is not None:
            yield from self._section(text, layout, held)

    def _belong(self, held: _Section, section: _Section) -> bool:
        """A heading without a text is no passage of its own, and a small section none if there is room."""
        is_small = held.tokens * _SMALL < self._lengths.most
        return held.is_bare or (is_small and held.tokens + section.tokens <= self._lengths.most)

    def _section(self, text: str, layout: _Layout, section: _Section) -> Iterator[Span]:
        if section.tokens + self._lengths.count(section.context) <= self._lengths.most:
            yield Span(section.start, section.end, section.context)
            return
        for at, span in enumerate(self._within(text, layout, section.start, section.end, section.inside)):
            head = _head(text, layout, span.start)
            is_told = self._lengths.count(head) * _SMALL <= self._lengths.most
            yield Span(span.start, span.end, section.inside if at else section.context, head if is_told else "")

    def _within(self, text: str, layout: _Layout, start: int, end: int, context: str) -> Iterator[Span]:
        room = self._lengths.most - min(self._lengths.count(context), self._lengths.most // 2)
        lengths = Lengths(self._lengths.count, room, min(self._lengths.overlap, room // 2))
        yield from lengths.joined(text, _blocks(text, layout, start, end, lengths))

    def _layout(self, text: str) -> _Layout:
        layout = _Layout()
        fence, opened = "", 0
        for found in _LINE.finditer(text):
            if found[3]:
                mark = found[3].strip()
                if not fence:
                    fence, opened = mark, found.start()
                elif mark == fence:
                    layout.fences.append((opened, found.end()))
                    fence = ""
            elif fence:
                continue
            elif found[1]:
                layout.headings.append(self._heading(found.start(), found.end(), len(found[1]), found[2]))
            else:
                _add_row(text, layout, found.start(), found.end())
        if fence:
            layout.fences.append((opened, len(text)))
        return layout

    def _heading(self, start: int, end: int, level: int, name: str) -> _Heading:
        name = name.rstrip("# \t")[:_LONGEST_HEADING]
        self._path = [(above, told) for above, told in self._path if above < level]
        self._path.append((level, name))
        return _Heading(start, end, level, tuple(told for _, told in self._path))


def _add_row(text: str, layout: _Layout, start: int, end: int) -> None:
    if layout.tables and layout.tables[-1][1] + 1 >= start:
        first, _, head = layout.tables[-1]
        layout.tables[-1] = (first, end, head)
    elif rule := _RULE.match(text, end + 1):
        layout.tables.append((start, end, rule.end()))


def _head(text: str, layout: _Layout, at: int) -> str:
    """The head of the table that is cut at ``at``."""
    index = bisect_right(layout.tables, at, key=lambda table: table[0]) - 1
    if index < 0:
        return ""
    start, end, head = layout.tables[index]
    return text[start:head].rstrip() if head <= at < end else ""


def _blocks(text: str, layout: _Layout, start: int, end: int, lengths: Lengths) -> Iterator[Stretch]:
    """Paragraphs, tables and fenced code; each is cut finer only where it is too long."""
    at = start
    for found in _BLANK.finditer(text, start, end):
        index = bisect_right(layout.fences, found.start(), key=lambda fence: fence[0]) - 1
        if index >= 0 and found.start() < layout.fences[index][1]:
            continue
        yield from lengths.stretches(text, at, found.end())
        at = found.end()
    if at < end:
        yield from lengths.stretches(text, at, end)
