"""What stands where on a page of a PDF: rows of text, and the lines that are drawn. Points, the origin at the top left."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2 as pdfium
import pypdfium2.raw as raw

_PARTED: Final = re.compile("[\ufffe\x02]")
"""A word that goes on in the next row: the hyphen is not in the text."""
_NOISE: Final = re.compile("[\0\r\ufeff\xad]")
_GAP: Final = 0.5
"""Wider than half of its height, a gap parts what stands in a row."""
_THIN, _SHORT = 2.5, 8.0
_MOST_OBJECTS, _MOST_SEGMENTS = 3000, 400


@dataclass(frozen=True, slots=True)
class Box:
    x0: float
    y0: float
    x1: float
    y1: float

    def around(self, other: Box) -> Box:
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def holds(self, other: Box) -> bool:
        """Whether the middle of the other one is inside."""
        return self.x0 <= (other.x0 + other.x1) / 2 <= self.x1 and self.y0 <= (other.y0 + other.y1) / 2 <= self.y1


@dataclass(frozen=True, slots=True)
class Run:
    """What stands together in a row."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Row:
    """``size`` is the height of its letters; ``goes_on`` in the middle of a word."""

    runs: tuple[Run, ...]
    box: Box
    size: float
    goes_on: bool = False

    @property
    def text(self) -> str:
        return " ".join(run.text for run in self.runs)

    @property
    def is_upright(self) -> bool:
        """Whether it is written from top to bottom."""
        return self.box.y1 - self.box.y0 > 2 * (self.box.x1 - self.box.x0) and len(self.text) > 2


@dataclass(frozen=True, slots=True)
class Area:
    """A page's visible part, by which places are told."""

    left: float
    bottom: float
    right: float
    top: float
    turned: int

    @classmethod
    def of(cls, page: pdfium.PdfPage) -> Area:
        left, bottom, right, top = page.get_cropbox()
        return cls(left, bottom, right, top, page.get_rotation() % 360)

    @property
    def size(self) -> tuple[float, float]:
        width, height = max(self.right - self.left, 1.0), max(self.top - self.bottom, 1.0)
        return (height, width) if self.turned in (90, 270) else (width, height)

    def box(self, left: float, bottom: float, right: float, top: float) -> Box:
        match self.turned:
            case 90:
                return Box(bottom - self.bottom, left - self.left, top - self.bottom, right - self.left)
            case 180:
                return Box(self.right - right, bottom - self.bottom, self.right - left, top - self.bottom)
            case 270:
                return Box(self.top - top, self.right - right, self.top - bottom, self.right - left)
            case _:
                return Box(left - self.left, self.top - top, right - self.left, self.top - bottom)


class Rows:
    """Reads one page's rows; the C library's own calls, since each costs a fraction of the wrapped ones."""

    def __init__(self, page: pdfium.PdfPage, area: Area, borders: list[Box]) -> None:
        self._text = page.get_textpage()
        self._area = area
        self._borders = borders
        self._four = [ctypes.c_double() for _ in range(4)]
        self._loose = raw.FS_RECTF()

    def read(self) -> Iterator[Row]:
        text = self._text.get_text_range(errors="replace")
        is_wide = len(text) != self._text.count_chars()
        at = 0
        for line in text.split("\r\n"):
            parts = _PARTED.split(line)
            for number, part in enumerate(parts):
                length = len(part.encode("utf-16-le", "replace")) // 2 if is_wide else len(part)
                goes_on = number < len(parts) - 1
                if part.strip() and (row := self._row(part, at, length, goes_on)):
                    yield row
                at += length + goes_on
            at += 2
        self._text.close()

    def _row(self, text: str, at: int, length: int, goes_on: bool) -> Row | None:
        boxes = self._boxes(at, length)
        if not boxes:
            return None
        box = boxes[0]
        for other in boxes[1:]:
            box = box.around(other)
        runs = (Run(_tidied(text), box),) if len(boxes) == 1 else tuple(self._runs(text, at, boxes))
        runs = tuple(run for run in runs if run.text)
        return Row(runs, box, self._size(at + len(text) - len(text.lstrip()), box), goes_on) if runs else None

    def _boxes(self, at: int, length: int) -> list[Box]:
        """Where the row's parts are; letters that stand close are one part, as far as no line is drawn between them."""
        left, top, right, bottom = self._four
        found: list[Box] = []
        for index in range(raw.FPDFText_CountRects(self._text, at, length)):
            raw.FPDFText_GetRect(self._text, index, left, top, right, bottom)
            box = self._area.box(left.value, bottom.value, right.value, top.value)
            gap = box.x0 - found[-1].x1 if found else 0.0
            if (
                found
                and gap < _GAP * max(box.y1 - box.y0, found[-1].y1 - found[-1].y0, 4.0)
                and not self._parted(found[-1], box)
            ):
                found[-1] = found[-1].around(box)
            else:
                found.append(box)
        return found

    def _parted(self, one: Box, other: Box) -> bool:
        middle = (one.y0 + one.y1) / 2
        return any(one.x1 - 2 <= line.x0 <= other.x0 + 2 and line.y0 <= middle <= line.y1 for line in self._borders)

    def _runs(self, text: str, at: int, boxes: list[Box]) -> Iterator[Run]:
        """Words go to the part they begin in."""
        left, right, bottom, top = self._four
        words: list[list[str]] = [[] for _ in boxes]
        part = 0
        for word in re.finditer(r"\S+", text):
            if raw.FPDFText_GetCharBox(self._text, at + word.start(), left, right, bottom, top):
                box = self._area.box(left.value, bottom.value, right.value, top.value)
                middle = (box.x0 + box.x1) / 2
                part = next((index for index, one in enumerate(boxes) if one.x0 - 1 <= middle <= one.x1 + 1), part)
            words[part].append(word[0])
        for box, told in zip(boxes, words, strict=True):
            yield Run(_tidied(" ".join(told)), box)

    def _size(self, at: int, box: Box) -> float:
        if not raw.FPDFText_GetLooseCharBox(self._text, at, self._loose):
            return box.y1 - box.y0
        loose = self._area.box(self._loose.left, self._loose.bottom, self._loose.right, self._loose.top)
        return loose.y1 - loose.y0


def borders(page: pdfium.PdfPage, area: Area) -> tuple[list[Box], list[Box]]:
    """Horizontal and vertical lines; the edges of boxes too."""
    count = raw.FPDFPage_CountObjects(page)
    across: list[Box] = []
    upright: list[Box] = []
    if count > _MOST_OBJECTS:
        return across, upright
    for index in range(count):
        item = raw.FPDFPage_GetObject(page, index)
        if raw.FPDFPageObj_GetType(item) == raw.FPDF_PAGEOBJ_PATH:
            for box in _segments(item, area):
                wide, high = box.x1 - box.x0, box.y1 - box.y0
                if high <= _THIN and wide >= _SHORT:
                    across.append(box)
                elif wide <= _THIN and high >= _SHORT:
                    upright.append(box)
        if len(across) + len(upright) > _MOST_SEGMENTS:
            return [], []
    return across, upright


def _segments(item: Any, area: Area) -> Iterator[Box]:
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not raw.FPDFPageObj_GetBounds(item, left, bottom, right, top):
        return
    box = area.box(left.value, bottom.value, right.value, top.value)
    if box.x1 - box.x0 <= _THIN or box.y1 - box.y0 <= _THIN:
        yield box
        return
    count = raw.FPDFPath_CountSegments(item)
    if count <= _MOST_SEGMENTS:
        yield from _drawn(item, count, area)


def _drawn(item: Any, count: int, area: Area) -> Iterator[Box]:
    """The straight pieces of a path: of a grid that is drawn in one, and of boxes."""
    matrix, x, y = raw.FS_MATRIX(), ctypes.c_float(), ctypes.c_float()
    raw.FPDFPageObj_GetMatrix(item, matrix)
    first = last = (0.0, 0.0)
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(item, index)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        if raw.FPDFPathSegment_GetType(segment) == raw.FPDF_SEGMENT_MOVETO:
            first = point
        elif raw.FPDFPathSegment_GetType(segment) == raw.FPDF_SEGMENT_LINETO:
            yield _edge(last, point, area)
        if raw.FPDFPathSegment_GetClose(segment):
            yield _edge(point, first, area)
        last = point


def _edge(one: tuple[float, float], other: tuple[float, float], area: Area) -> Box:
    return area.box(min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1]))


def _tidied(text: str) -> str:
    return _NOISE.sub("", text).strip()
