"""PDF: the text of its pages in the order of reading, its tables, and where each row stands."""

from __future__ import annotations

from collections.abc import Iterator

import pypdfium2 as pdfium

from datasets.rag.extract import grids, layout
from datasets.rag.extract.base import Document, Page, Source, Unreadable
from datasets.rag.extract.pdf_rows import Area, Rows, borders


def extract(source: Source) -> Document:
    try:
        document = pdfium.PdfDocument(source.file)
        count = len(document)
    except pdfium.PdfiumError as error:
        is_locked = "password" in str(error).lower()
        told = "The PDF is locked by a password." if is_locked else "The PDF is damaged, or is none."
        raise Unreadable(told) from None
    if count > source.most_pages:
        raise Unreadable(f"The document has {count} pages; at most {source.most_pages} can be read.")
    return Document(_pages(document), _title(document))


def _title(document: pdfium.PdfDocument) -> str:
    try:
        return str(document.get_metadata_value("Title")).strip()
    except UnicodeError:
        return ""


def _pages(document: pdfium.PdfDocument) -> Iterator[Page]:
    sizes, margins = layout.Sizes(), layout.Margins()
    try:
        for at in range(len(document)):
            page = document[at]
            try:
                yield _page(page, at + 1, sizes, margins)
            finally:
                page.close()
    except pdfium.PdfiumError:
        raise Unreadable("The PDF is damaged.") from None


def _page(page: pdfium.PdfPage, number: int, sizes: layout.Sizes, margins: layout.Margins) -> Page:
    area = Area.of(page)
    across, upright = borders(page, area)
    rows = margins.without([*Rows(page, area, upright).read()], area.size[1])
    found = layout.blocks(rows, [*grids.grids(across, upright)])
    text, lines = layout.Writer(*area.size, sizes.add(rows)).written(found)
    return Page(number, text, lines=lines, is_markdown=True)
