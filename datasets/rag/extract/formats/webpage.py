"""A page of the web, as a crawl sees it: its main text, and where it leads."""

from __future__ import annotations

from datasets.rag.extract import markup
from datasets.rag.extract.base import Document, Source

from . import html


def extract(source: Source) -> Document:
    return markup.page(html.text(source))
