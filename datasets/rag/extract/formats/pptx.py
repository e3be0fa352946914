"""Presentations: each slide is a page; its title, lists, tables and notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from datasets.rag.extract import tables
from datasets.rag.extract.archives import Archive, opened
from datasets.rag.extract.base import Document, Page, Source, Unreadable

_A: Final = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P: Final = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MAIN: Final = "ppt/presentation.xml"
_TITLES: Final = ("title", "ctrTitle")
_SILENT: Final = ("dt", "ftr", "sldNum")
_MOST_LEVELS: Final = 8


def extract(source: Source) -> Document:
    """Slides that are hidden are left out."""
    with opened(source.file) as archive:
        pages = [*_pages(archive)]
    return Document(pages, next((page.label for page in pages if page.label), ""))


def _pages(archive: Archive) -> Iterator[Page]:
    slides = archive.related(_MAIN)
    for number, item in enumerate(archive.tree(_MAIN).iter(f"{_P}sldId"), start=1):
        name = slides.get(item.get(f"{_R}id", ""), "")
        if name not in archive.names:
            raise Unreadable("The presentation is damaged: a slide is missing.")
        slide = archive.tree(name)
        if slide.get("show") in ("0", "false"):
            continue
        title, blocks = _told(slide)
        notes = [block for part in archive.related(name).values() if "notesSlide" in part for block in _notes(archive, part)]
        if notes:
            blocks.append("Notes: " + "\n\n".join(notes))
        heading = [f"## {title}"] if title else []
        yield Page(number, "\n\n".join([*heading, *blocks]), title, is_markdown=True)


def _told(slide: Any) -> tuple[str, list[str]]:
    title, blocks = "", []
    for shape in slide.iter(f"{_P}sp", f"{_A}tbl"):
        if shape.tag == f"{_A}tbl":
            blocks.append(tables.markdown([[_line(cell) for cell in row.iter(f"{_A}tc")] for row in shape.iter(f"{_A}tr")]))
            continue
        holder = shape.find(f".//{_P}ph")
        kind = "" if holder is None else holder.get("type", "body")
        if kind in _TITLES and not title:
            title = _line(shape)
        elif kind not in _SILENT:
            blocks.append(_paragraphs(shape, is_list=kind == "body"))
    return title, [block for block in blocks if block]


def _notes(archive: Archive, name: str) -> Iterator[str]:
    if name in archive.names:
        yield from _told(archive.tree(name))[1]


def _paragraphs(shape: Any, *, is_list: bool) -> str:
    lines = []
    for paragraph in shape.iter(f"{_A}p"):
        text = _text(paragraph).strip()
        if text:
            level = paragraph.find(f"{_A}pPr")
            depth = level.get("lvl", "0") if level is not None else "0"
            lines.append((min(int(depth), _MOST_LEVELS) if depth.isdecimal() else 0, text))
    if not is_list or len(lines) < 2:
        return "\n".join(text for _, text in lines)
    return "\n".join(f"{'  ' * depth}- {text}" for depth, text in lines)


def _line(shape: Any) -> str:
    return " ".join(filter(None, (_text(paragraph).strip() for paragraph in shape.iter(f"{_A}p"))))


def _text(paragraph: Any) -> str:
    parts = (part.text or "" if part.tag == f"{_A}t" else " " for part in paragraph.iter(f"{_A}t", f"{_A}br"))
    return "".join(parts)
