"""General: where the rule's separator stands, and by length; Markdown by its headings where the rule leaves it to us."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
    lengths = Lengths(count, how.max_tokens, how.chunk_overlap)
    sections = Sections(lengths)
    for window in windows(pages, how.separator):
        if how.separator:
            found = separated(window.text, how.separator, lengths)
        elif any(page.is_markdown for _, page in window.pages):
            found = sections.spans(window.text)
        else:
            found = lengths.spans(window.text)
        for span in found:
            yield window, span


def separated(text: str, separator: str, lengths: Lengths) -> Iterator[Span]:
    """Each part is a passage of its own, however short, as in Dify; what is too long is cut."""
    at = 0
    while at < len(text):
        found = text.find(separator, at)
        end = len(text) if found < 0 else found
        if end > at:
            yield from lengths.spans(text, at, end)
        at = end + len(separator)
