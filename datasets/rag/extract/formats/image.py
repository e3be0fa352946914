"""Pictures: what they show is for a model that sees."""

from __future__ import annotations

from datasets.rag.extract.base import Document, NeedsVision, Source
from datasets.rag.extract.pictures import picture_type


def extract(source: Source) -> Document:
    source.file.seek(0)
    raise NeedsVision(picture_type(source.file.read(16)))
