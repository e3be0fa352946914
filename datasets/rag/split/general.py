"""General: where the rule's separator stands, and by length; Markdown by its headings where the rule leaves it to us."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from datasets.rag.extract.base import Page

from .lengths import Lengths
from .markdown import Sections
from .piece import Counter, Piece, Span, Window, windows
from .rule import Rule, Segmentation


def pieces(pages: Iterable[Page], rule: Rule, count: Counter) -> Iterator[Piece]:
    for window, span in spans(pages, rule.segmentation, count):
        if piece := window.piece(span):
            yield piece


def spans(pages: Iterable[Page], how: Segmentation, count: Counter) -> Iterator[tuple[Window, Span]]:
    """No passage reaches from one numbered page into the next, so that a citation names the page."""
    lengths = Lengths(count, how.max_tokens, how.chunk_overlap)
    sections = Sections(lengths)
    for window in windows(pages, how.separator):
        is_markdown = any(page.is_markdown for _, page in window.pages)
        for start, end in _stretches(window):
            text = window.text[start:end]
            if how.separator:
                found = separated(text, how.separator, lengths)
            elif is_markdown:
                found = sections.spans(text)
            else:
                found = lengths.spans(text)
            for span in found:
                yield window, replace(span, start=span.start + start, end=span.end + start)


def _stretches(window: Window) -> Iterator[tuple[int, int]]:
    """The window's numbered pages; all of it where there are none."""
    at = 0
    for offset, page in window.pages:
        begin = offset - window.start
        if page.number and begin > at:
            yield at, begin
            at = begin
    yield at, len(window.text)


def separated(text: str, separator: str, lengths: Lengths) -> Iterator[Span]:
    """Each part is a passage of its own, however short, as in Dify; what is too long is cut."""
    at = 0
    while at < len(text):
        found = text.find(separator, at)
        end = len(text) if found < 0 else found
        if end > at:
            yield from lengths.spans(text, at, end)
        at = end + len(separator)
