"""Comma-separated values, whatever separates them, as a Markdown table; what is no table stays as it stands."""

from __future__ import annotations

import csv
from typing import Final

from datasets.rag.extract import tables
from datasets.rag.extract.base import Extracted
from datasets.rag.extract.plain import text_of

_SEPARATORS: Final = ",;\t|"
_SAMPLE: Final = 8192


def extract(data: bytes) -> Extracted:
    text = text_of(data)
    try:
        rows = list(csv.reader(text.splitlines(keepends=True), delimiter=_separator(text)))
    except csv.Error:
        return Extracted(text)
    return Extracted(tables.markdown([row for row in rows if row]))


def _separator(text: str) -> str:
    """The one that the first line with any has most often."""
    for line in text[:_SAMPLE].splitlines():
        best = max(_SEPARATORS, key=line.count)
        if best in line:
            return best
    return ","
