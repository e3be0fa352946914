"""Plain text, Markdown, source code, XML, YAML: as it stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from datasets.rag.extract.base import Document, Page, Source
from datasets.rag.extract.plain import pieces

MARKDOWN: Final = frozenset({"md", "mdx", "markdown", "txt", ""})
"""Headings of a plain text are mostly written as Markdown writes them; in source code a number sign is none."""


def extract(source: Source) -> Document:
    return Document(pages(source))


def pages(source: Source) -> Iterator[Page]:
    for text in pieces(source):
        yield Page(0, text, after="", is_markdown=source.extension in MARKDOWN)
