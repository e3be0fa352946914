"""JSON, indented; what is not quite JSON, or very large, stays as it stands."""

from __future__ import annotations

from typing import Final

from datasets.rag.extract.base import Document, Source, whole
from datasets.rag.extract.plain import text_of
from difyproj.kernel import jsonio

from . import text as plain_text

_MOST_BYTES: Final = 16 * 1024**2


def extract(source: Source) -> Document:
    if source.size > _MOST_BYTES:
        return plain_text.extract(source)
    text = text_of(source.read(_MOST_BYTES))
    try:
        return whole(jsonio.indented(jsonio.loads(text)))
    except (ValueError, RecursionError):
        return whole(text)
