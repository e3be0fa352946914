"""Comma-separated values, whatever separates them, as Markdown tables; what is no table stays as it stands."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Final

from datasets.rag.extract import tables
from datasets.rag.extract.base import Document, Page, Source
from datasets.rag.extract.plain import pieces

_SEPARATORS: Final = ",;\t|"
_SAMPLE: Final = 8192


def extract(source: Source) -> Document:
    return Document(_pages(source))


def _pages(source: Source) -> Iterator[Page]:
    lines = _Lines(pieces(source))
    reader = csv.reader(lines, delimiter=lines.separator("\t" if source.extension == "tsv" else _SEPARATORS))
    head: list[str] = []
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row:
                rows.append(row)
            if lines.size > tables.BLOCK:
                yield from _table(head, rows)
                head, rows = head or rows[0], []
                lines.forget()
        yield from _table(head, rows)
    except csv.Error:
        yield Page(0, "".join(lines.told), after="")
        for text in lines.rest():
            yield Page(0, text, after="")


def _table(head: list[str], rows: list[list[str]]) -> Iterator[Page]:
    if rows and (text := tables.markdown([head, *rows] if head else rows, line_break="<br>")):
        yield Page(0, text, is_markdown=True)


class _Lines:
    """Lines of a text, of which those since the last table are remembered."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._first = next(texts, "")
        self._given = self._all()
        self.told: list[str] = []
        self.size = 0

    def separator(self, among: str) -> str:
        """The one that the first line with any has most often."""
        for line in self._first[:_SAMPLE].splitlines():
            best = max(among, key=line.count)
            if best in line:
                return best
        return ","

    def forget(self) -> None:
        self.told, self.size = [], 0

    def rest(self) -> Iterator[str]:
        block: list[str] = []
        size = 0
        for line in self._given:
            block.append(line)
            size += len(line)
            if size > tables.BLOCK:
                yield "".join(block)
                block, size = [], 0
        yield "".join(block)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._given)
        self.told.append(line)
        self.size += len(line)
        return line

    def _all(self) -> Iterator[str]:
        yield from self._first.splitlines(keepends=True)
        self._first = ""
        for text in self._texts:
            yield from text.splitlines(keepends=True)
