"""Parent and child: small parts are looked for, the passage around them is what is told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from datasets.rag.extract.base import Page

from .general import separated, spans
from .lengths import Lengths
from .piece import Counter, Piece, Span, Window, windows
from .rule import Rule

FULL_DOCUMENT_TOKENS = 10_000
"""Dify cuts a whole document off there; here what is longer has several parents."""


def pieces(pages: Iterable[Page], rule: Rule, count: Counter) -> Iterator[Piece]:
    lengths = Lengths(count, rule.children.max_tokens, rule.children.chunk_overlap)
    for window, span in _parents(pages, rule, count):
        text = window.text[span.start : span.end]
        separator = rule.children.separator
        parts = separated(text, separator, lengths) if separator else lengths.spans(text)
        children = [child for part in parts if (child := text[part.start : part.end].strip())]
        if piece := window.piece(span, children=children):
            yield piece


def _parents(pages: Iterable[Page], rule: Rule, count: Counter) -> Iterator[tuple[Window, Span]]:
    if rule.parent_mode == "paragraph":
        yield from spans(pages, rule.segmentation, count)
        return
    lengths = Lengths(count, FULL_DOCUMENT_TOKENS)
    for window in windows(pages):
        for span in lengths.spans(window.text):
            yield window, span
