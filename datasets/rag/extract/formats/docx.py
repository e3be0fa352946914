"""Word documents: paragraphs, headings and lists, and tables where they stand."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import Any, Final

import docx
import docx.document
from docx.opc.exceptions import OpcError
from docx.table import Table, _Row
from docx.text.paragraph import Paragraph

from datasets.rag.extract import archives, tables
from datasets.rag.extract.base import Document, Page, Source, Unreadable

_HEADING: Final = re.compile(r"(?:heading|überschrift|titre|标题)\s*([1-6])", re.IGNORECASE)
_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_LAID_OUT, _WISHED, _TEXT, _KIND = f"{_W}lastRenderedPageBreak", f"{_W}br", f"{_W}t", f"{_W}type"
_BROKEN: Final = (OpcError, zipfile.BadZipFile, SyntaxError, KeyError, ValueError, AttributeError, IndexError, OSError)


def extract(source: Source) -> Document:
    archives.check(source.file)
    try:
        document = docx.Document(source.file)
        return Document([*_pages(document)], document.core_properties.title)
    except _BROKEN:
        # The library checks little of what it reads.
        raise Unreadable("The Word document is damaged, or is none.") from None


def _pages(document: docx.document.Document) -> Iterator[Page]:
    """As Word laid them out when it saved, if it did, else as the author broke them."""
    body = document.element.body
    kind = _LAID_OUT if next(body.iter(_LAID_OUT), None) is not None else _WISHED
    # The library looks a style up by a search through all of them.
    styles = {style.style_id: style.name or "" for style in document.styles if style.style_id}
    number, told, is_paged = 1, list[str](), _breaks(body, kind) > 0
    for block in document.iter_inner_content():
        passed = _breaks(block._element, kind)
        if passed and not _is_before(block, kind):
            # A paragraph that begins with the break stands on the page after it.
            yield Page(number, "\n\n".join(told), is_markdown=True)
            number, passed, told = number + 1, passed - 1, []
        if text := _block(block, styles):
            told.append(text)
        if passed:
            yield Page(number, "\n\n".join(told), is_markdown=True)
            number, told = number + passed, []
    yield Page(number if is_paged else 0, "\n\n".join(told), is_markdown=True)


def _breaks(element: Any, kind: str) -> int:
    return sum(1 for one in element.iter(kind) if kind == _LAID_OUT or one.get(_KIND) == "page")


def _is_before(block: Paragraph | Table, kind: str) -> bool:
    """Whether text of the block stands before its first break."""
    for part in block._element.iter(kind, _TEXT):
        if part.tag == kind:
            return False
        if (part.text or "").strip():
            return True
    return False


def _block(block: Paragraph | Table, styles: dict[str, str]) -> str:
    return _table(block) if isinstance(block, Table) else _paragraph(block, styles)


def _paragraph(paragraph: Paragraph, styles: dict[str, str]) -> str:
    text = paragraph.text.strip()
    if not text:
        return ""
    properties = paragraph._p.pPr
    style = "" if properties is None or properties.pStyle is None else styles.get(properties.pStyle.val, "")
    heading = _HEADING.match(style)
    if heading:
        return f"{'#' * int(heading[1])} {text}"
    is_item = style.startswith("List") or (properties is not None and properties.numPr is not None)
    return f"- {text}" if is_item else text


def _table(table: Table) -> str:
    return tables.markdown([list(_cells(row)) for row in table.rows])


def _cells(row: _Row) -> Iterator[str]:
    """A cell that spans several columns is written once."""
    before = None
    for cell in row.cells:
        yield "" if cell._tc is before else cell.text
        before = cell._tc
