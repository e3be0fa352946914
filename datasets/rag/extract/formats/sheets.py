"""Spreadsheets, old and new: a Markdown table for each sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any, Final

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum

from datasets.rag.extract import archives, tables
from datasets.rag.extract.base import Document, Page, Source, Unreadable

_MOST_CELLS: Final = 2_000_000


def extract(source: Source) -> Document:
    """Hidden sheets are left out; a sheet's name stands above it where there are several."""
    if source.file.read(2) == b"PK":
        archives.check(source.file)
    source.file.seek(0)
    return Document(_pages(source))


def _pages(source: Source) -> Iterator[Page]:
    try:
        book = CalamineWorkbook.from_filelike(source.file)
        shown = [sheet.name for sheet in book.sheets_metadata if sheet.visible is SheetVisibleEnum.Visible]
        for at, name in enumerate(shown, start=1):
            heading = f"## {name}\n\n" if len(shown) > 1 else ""
            for table in tables.blocks(_rows(book, name), line_break="<br>"):
                yield Page(at, f"{heading}{table}", name, is_markdown=True)
    except PasswordError:
        raise Unreadable("The spreadsheet is locked by a password.") from None
    except (CalamineError, ValueError, OSError):
        raise Unreadable("The spreadsheet is damaged, or is none.") from None


def _rows(book: CalamineWorkbook, name: str) -> Iterator[list[str]]:
    sheet = book.get_sheet_by_name(name)
    if sheet.width * sheet.height > _MOST_CELLS:
        raise Unreadable(f"The sheet {name!r} has more than {_MOST_CELLS} cells.")
    rows: Iterable[Sequence[Any]] = sheet.to_python(skip_empty_area=True)
    for row in rows:
        yield [_text(cell) for cell in row]


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(" ")
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
