"""Pictures: what they show is for a model that sees."""

from __future__ import annotations

from datasets.rag.extract.base import Document, NeedsVision, Source


def extract(source: Source) -> Document:
    raise NeedsVision
