"""Plain text, Markdown, source code, XML, YAML: as it stands."""

from __future__ import annotations

from datasets.rag.extract.base import Extracted
from datasets.rag.extract.plain import text_of


def extract(data: bytes) -> Extracted:
    return Extracted(text_of(data))
