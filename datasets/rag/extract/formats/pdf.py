"""PDF: the text of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pypdfium2 as pdfium

from datasets.rag.extract.base import Document, Page, Source, Unreadable

_MOST_PAGES: Final = 5000


def extract(source: Source) -> Document:
    try:
        document = pdfium.PdfDocument(source.file)
        count = len(document)
    except pdfium.PdfiumError as error:
        is_locked = "password" in str(error).lower()
        told = "The PDF is locked by a password." if is_locked else "The PDF is damaged, or is none."
        raise Unreadable(told) from None
    if count > _MOST_PAGES:
        raise Unreadable(f"The document has {count} pages; at most {_MOST_PAGES} can be read.")
    return Document(_pages(document), _title(document))


def _pages(document: pdfium.PdfDocument) -> Iterator[Page]:
    try:
        for at in range(len(document)):
            yield Page(at + 1, _text(document, at))
    except pdfium.PdfiumError:
        raise Unreadable("The PDF is damaged.") from None


def _title(document: pdfium.PdfDocument) -> str:
    try:
        return str(document.get_metadata_value("Title")).strip()
    except UnicodeError:
        return ""


def _text(document: pdfium.PdfDocument, at: int) -> str:
    page = document[at]
    try:
        text: str = page.get_textpage().get_text_range(errors="replace")
    finally:
        page.close()
    # A hyphen at a line's end comes as U+FFFE or U+0002.
    return text.replace("\r\n", "\n").replace("\ufffe", "").replace("\x02", "").replace("\0", "").strip()
