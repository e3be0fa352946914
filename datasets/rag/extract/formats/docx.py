"""Word documents: paragraphs, headings and lists, and tables where they stand."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import Final

import docx
from docx.opc.exceptions import OpcError
from docx.table import Table, _Row
from docx.text.paragraph import Paragraph

from datasets.rag.extract import archives, tables
from datasets.rag.extract.base import Document, Page, Source, Unreadable

_HEADING: Final = re.compile(r"(?:heading|überschrift|titre|标题)\s*([1-6])", re.IGNORECASE)
_BROKEN: Final = (OpcError, zipfile.BadZipFile, SyntaxError, KeyError, ValueError, AttributeError, IndexError, OSError)


def extract(source: Source) -> Document:
    archives.check(source.file)
    try:
        document = docx.Document(source.file)
        blocks = [*filter(None, map(_block, document.iter_inner_content()))]
        return Document([Page(0, "\n\n".join(blocks), is_markdown=True)], document.core_properties.title)
    except _BROKEN:
        # The library checks little of what it reads.
        raise Unreadable("The Word document is damaged, or is none.") from None


def _block(block: Paragraph | Table) -> str:
    return _table(block) if isinstance(block, Table) else _paragraph(block)


def _paragraph(paragraph: Paragraph) -> str:
    text = paragraph.text.strip()
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    if not text:
        return ""
    heading = _HEADING.match(style)
    if heading:
        return f"{'#' * int(heading[1])} {text}"
    return f"- {text}" if style.startswith("List") else text


def _table(table: Table) -> str:
    return tables.markdown([list(_cells(row)) for row in table.rows])


def _cells(row: _Row) -> Iterator[str]:
    """A cell that spans several columns is written once."""
    before = None
    for cell in row.cells:
        yield "" if cell._tc is before else cell.text
        before = cell._tc
