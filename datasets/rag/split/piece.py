"""Passages, and the stretches of text they are cut from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from datasets.rag.extract.base import Page

WINDOW: Final = 512 * 1024
"""Characters that are looked at together; a passage never reaches from one window into the next."""

Counter = Callable[[str], int]
"""Tokens of a text."""
Box = tuple[int, float, float, float, float]


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage. ``content`` is what is looked for, in Q&A documents the question.

    ``start`` and ``end`` are offsets into the cleaned text, ``page`` is where it begins, and ``boxes`` are ``(page, x0, y0, x1,
    y1)`` of its lines where the document tells them. Headings above it and the head of its table may stand before the stretch
    that the offsets name.
    """

    content: str
    answer: str = ""
    start: int = 0
    end: int = 0
    page: int | None = None
    boxes: tuple[Box, ...] = ()
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a window; ``context`` is said before it, ``head`` is the first lines of the table it is from."""

    start: int
    end: int
    context: str = ""
    head: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """``start`` is the offset of its text in the document's; ``pages`` are those that reach into it, by their offsets."""

    text: str
    start: int
    pages: tuple[tuple[int, Page], ...]
    is_last: bool = True

    def piece(self, span: Span, *, content: str = "", answer: str = "", children: Iterable[str] = ()) -> Piece | None:
        """Without spaces around it; None for nothing but spaces. ``content`` stands in for the text of the span."""
        text = self.text[span.start : span.end]
        start = span.start + len(text) - len(text.lstrip())
        text = text.strip()
        if not text:
            return None
        if not content:
            text_of_table = f"{span.head}\n{text}" if span.head else text
            content = f"{span.context}\n\n{text_of_table}" if span.context else text_of_table
        begins, ends = self.start + start, self.start + start + len(text)
        page, boxes = self._place(begins, ends)
        return Piece(content, answer, begins, ends, page, boxes, tuple(children))

    def _place(self, start: int, end: int) -> tuple[int | None, tuple[Box, ...]]:
        first: int | None = None
        boxes: list[Box] = []
        for offset, page in self.pages:
            if offset >= end:
                break
            if offset + len(page.text) <= start:
                continue
            first = first or page.number or None
            boxes.extend(
                (page.number, line.x0, line.y0, line.x1, line.y1)
                for line in page.lines
                if line.start + offset < end and line.end + offset > start
            )
        return first, tuple(boxes)


@dataclass(slots=True)
class _Buffer:
    pieces: list[str] = field(default_factory=list)
    pages: list[tuple[int, Page]] = field(default_factory=list)
    start: int = 0
    size: int = 0


def windows(pages: Iterable[Page], separator: str = "") -> Iterator[Window]:
    """The document in windows, cut where ``separator`` stands, else at a paragraph, a line, a word."""
    held = _Buffer()
    for page in pages:
        if not page.text:
            continue
        held.pages.append((held.start + held.size, page))
        held.pieces += (page.text, page.after)
        held.size += len(page.text) + len(page.after)
        if held.size >= 2 * WINDOW:
            yield from _full(held, separator)
    text = "".join(held.pieces)
    if text.strip():
        yield Window(text, held.start, tuple(held.pages))


def _full(held: _Buffer, separator: str) -> Iterator[Window]:
    text, at = "".join(held.pieces), 0
    while len(text) - at >= 2 * WINDOW:
        cut = _cut(text, at, separator)
        pages = tuple((offset, page) for offset, page in held.pages if offset < held.start + cut - at)
        yield Window(text[at:cut], held.start, pages, is_last=False)
        held.start += cut - at
        held.pages = [(offset, page) for offset, page in held.pages if offset + len(page.text) > held.start]
        at = cut
    held.pieces, held.size = [text[at:]], len(text) - at


def _cut(text: str, at: int, separator: str) -> int:
    for mark in filter(None, (separator, "\n\n", "\n", "。", " ")):
        found = text.rfind(mark, at + WINDOW // 2, at + WINDOW)
        if found >= 0:
            return found + len(mark)
    return at + WINDOW
