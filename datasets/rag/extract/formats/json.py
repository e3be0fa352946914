"""JSON, indented; what is not quite JSON stays as it stands."""

from __future__ import annotations

from datasets.rag.extract.base import Extracted
from datasets.rag.extract.plain import text_of
from difyproj.kernel import jsonio


def extract(data: bytes) -> Extracted:
    text = text_of(data)
    try:
        return Extracted(jsonio.indented(jsonio.loads(text)))
    except (ValueError, RecursionError):
        return Extracted(text)
