"""The formats: one file and one row each, and by what a document shows which of them it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from difyproj.kernel.registry import Registry

from . import archives, compound
from .base import Extractor, Source, Unreadable
from .pictures import picture_type

FORMATS: Registry[Extractor] = Registry(
    "document format",
    {
        "csv": "datasets.rag.extract.formats.csv:extract",
        "docx": "datasets.rag.extract.formats.docx:extract",
        "eml": "datasets.rag.extract.formats.eml:extract",
        "epub": "datasets.rag.extract.formats.epub:extract",
        "html": "datasets.rag.extract.formats.html:extract",
        "image": "datasets.rag.extract.formats.image:extract",
        "json": "datasets.rag.extract.formats.json:extract",
        "msg": "datasets.rag.extract.formats.msg:extract",
        "pdf": "datasets.rag.extract.formats.pdf:extract",
        "pptx": "datasets.rag.extract.formats.pptx:extract",
        "properties": "datasets.rag.extract.formats.properties:extract",
        "sheets": "datasets.rag.extract.formats.sheets:extract",
        "text": "datasets.rag.extract.formats.text:extract",
        "vtt": "datasets.rag.extract.formats.vtt:extract",
        "webpage": "datasets.rag.extract.formats.webpage:extract",
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
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.oasis.opendocument.spreadsheet": "sheets",
    "application/vnd.ms-outlook": "msg",
    "application/epub+zip": "epub",
    "message/rfc822": "eml",
    "text/csv": "csv",
    "text/html": "html",
    "text/tab-separated-values": "csv",
    "text/vtt": "vtt",
}
_HEAD: Final = 16
# What a zip holds tells what it is.
_PARTS: Final[Mapping[str, str]] = {
    "word/document.xml": "docx",
    "xl/workbook.xml": "sheets",
    "xl/workbook.bin": "sheets",
    "ppt/presentation.xml": "pptx",
    "META-INF/container.xml": "epub",
}
_MACROS: Final = "word/vbaProject.bin"


def format_of(source: Source) -> str:
    """The row for a document: by its bytes where they are plain, else by its name, else by its type. Raises Unreadable."""
    source.file.seek(0)
    begin = source.file.read(_HEAD)
    source.file.seek(0)
    if not source.size:
        raise Unreadable("The document is empty.")
    if begin.startswith(b"%PDF-"):
        return "pdf"
    if begin.startswith(compound.MAGIC):
        return _old(source)
    if begin.startswith(b"PK\x03\x04"):
        return _zipped(source)
    if picture_type(begin):
        return "image"
    if begin.startswith(b"{\\rtf"):
        raise Unreadable("Documents in rich text format cannot be read. Please save it as DOCX.")
    return likely_format(source.extension, source.mime_type)


def likely_format(extension: str, mime_type: str) -> str:
    """The row by name or type alone."""
    kind = mime_type.partition(";")[0].strip().lower()
    return _EXTENSIONS.get(extension) or (extension if extension in FORMATS else "") or _TYPES.get(kind, "text")


def _zipped(source: Source) -> str:
    names = archives.check(source.file)
    if _MACROS in names:
        raise Unreadable("Word documents with macros are not read. Please save it as DOCX.")
    if "content.xml" in names:
        with archives.opened(source.file) as archive:
            if "mimetype" in names and b"spreadsheet" in archive.read("mimetype")[:100]:
                return "sheets"
    found = next((kind for part, kind in _PARTS.items() if part in names), None)
    if found is None:
        raise Unreadable("The document is an archive of no kind that can be read.")
    return found


def _old(source: Source) -> str:
    names = compound.Compound(source.file, source.size).streams
    source.file.seek(0)
    if "EncryptedPackage" in names:
        raise Unreadable("The document is locked by a password.")
    if "__properties_version1.0" in names:
        return "msg"
    if "Workbook" in names or "Book" in names:
        return "sheets"
    raise Unreadable("Documents of old Office versions cannot be read. Please save it in a newer format.")
