"""The formats: one file and one row each, and by what a document shows which of them it has."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import IO, Final

from difyproj.kernel.registry import Registry

from .base import Extractor, Source, Unreadable

FORMATS: Registry[Extractor] = Registry(
    "document format",
    {
        "csv": "datasets.rag.extract.formats.csv:extract",
        "docx": "datasets.rag.extract.formats.docx:extract",
        "eml": "datasets.rag.extract.formats.eml:extract",
        "html": "datasets.rag.extract.formats.html:extract",
        "json": "datasets.rag.extract.formats.json:extract",
        "pdf": "datasets.rag.extract.formats.pdf:extract",
        "properties": "datasets.rag.extract.formats.properties:extract",
        "sheets": "datasets.rag.extract.formats.sheets:extract",
        "text": "datasets.rag.extract.formats.text:extract",
        "vtt": "datasets.rag.extract.formats.vtt:extract",
    },
)

_EXTENSIONS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("htm", "html", "xhtml"), "html"),
    **dict.fromkeys(("csv", "tsv"), "csv"),
    **dict.fromkeys(("vtt", "srt"), "vtt"),
    **dict.fromkeys(("xls", "xlsx", "xlsm", "xlsb", "ods"), "sheets"),
}
_TYPES: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "application/json": "json",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "sheets",
    "application/vnd.ms-excel": "sheets",
    "application/vnd.oasis.opendocument.spreadsheet": "sheets",
    "message/rfc822": "eml",
    "text/csv": "csv",
    "text/html": "html",
    "text/tab-separated-values": "csv",
    "text/vtt": "vtt",
}
_HEAD: Final = 16
_OLD_OFFICE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# What a zip holds tells what it is.
_PARTS: Final[Mapping[str, str]] = {"word/document.xml": "docx", "xl/workbook.xml": "sheets", "xl/workbook.bin": "sheets"}


def format_of(source: Source) -> str:
    """The row for a document: by its bytes where they are plain, else by its name, else by its type. Raises Unreadable."""
    source.file.seek(0)
    begin = source.file.read(_HEAD)
    source.file.seek(0)
    if begin.startswith(b"%PDF-"):
        return "pdf"
    if begin.startswith(_OLD_OFFICE):
        if source.extension in ("xls", "xlsb", ""):
            return "sheets"
        raise Unreadable(
            f"Documents of old Office versions ({source.extension}) cannot be read. Please save it in a newer format."
        )
    if begin.startswith(b"PK\x03\x04"):
        return _zipped(source.file)
    return likely_format(source.extension, source.mime_type)


def likely_format(extension: str, mime_type: str) -> str:
    """The row by name or type alone."""
    kind = mime_type.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(extension) or (extension if extension in FORMATS else "") or _TYPES.get(kind, "text")


def _zipped(file: IO[bytes]) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            if "content.xml" in names and b"spreadsheet" in archive.open("mimetype").read(100):
                return "sheets"
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, OSError, ValueError):
        raise Unreadable("The document is damaged: it is a broken archive.") from None
    finally:
        file.seek(0)
    found = next((kind for part, kind in _PARTS.items() if part in names), None)
    if found is None:
        raise Unreadable("The document is an archive of no kind that can be read.")
    return found
