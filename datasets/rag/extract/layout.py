"""A page's rows as text in the order of reading: paragraphs, headings by their size, tables; and where each row stands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from .base import Line
from .grids import Grid, Table, aligned, beside
from .pdf_rows import Box, Row

Block = Row | Table

_HEADING_SIZES: Final = ((1.7, "# "), (1.35, "## "), (1.15, "### "))
_LONGEST_HEADING: Final = 150
_PARAGRAPH_GAP: Final = 0.7
"""Of a row's height: more space above than this begins a paragraph."""
_FULL: Final = 0.82
"""A row that fills so much of its column goes on in the next."""
_ALIKE: Final = 0.15
_NEIGHBOURS, _INDENT = 5, 45.0
_FEWEST_IN_COLUMN: Final = 4
_ITEM: Final = re.compile(r"[•◦▪▸\u2013—*·-]\s|\(?[0-9a-zA-Z]{1,3}[.)]\s|#")
_TOP, _BOTTOM = 0.085, 0.915
_NUMBER: Final = re.compile(r"\d+")
_WIDE: Final = re.compile("[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]")


class Sizes:
    """The size of letters that the document uses most, as far as it is read."""

    def __init__(self) -> None:
        self._letters: Counter[float] = Counter()

    def add(self, rows: Sequence[Row]) -> float:
        for row in rows:
            self._letters[round(row.size * 2) / 2] += len(row.text)
        return self._letters.most_common(1)[0][0] if self._letters else 0.0


class Margins:
    """What stands at the edge of page after page, and a page's number, is no text of theirs. The first time it stays."""

    def __init__(self) -> None:
        # Of two pages: left ones differ from right ones.
        self._before: tuple[set[str], set[str]] = (set(), set())

    def without(self, rows: Sequence[Row], height: float) -> list[Row]:
        kept, edges = list[Row](), set[str]()
        for row in rows:
            if row.box.y1 > _TOP * height and row.box.y0 < _BOTTOM * height:
                kept.append(row)
                continue
            told = _NUMBER.sub("", row.text).strip()
            edges.add(told)
            if told and not any(told in page for page in self._before):
                kept.append(row)
        self._before = (self._before[1], edges)
        return kept


def blocks(rows: Sequence[Row], grids: Sequence[Grid]) -> list[Block]:
    """Rows and tables as they are read."""
    found: list[Block] = []
    inside: dict[int, list[Row]] = {}
    places: dict[int, int] = {}
    for row in beside(rows):
        grid = next((at for at, grid in enumerate(grids) if grid.box.holds(row.box)), None)
        if grid is None:
            found.append(row)
        else:
            if grid not in places:
                places[grid] = len(found)
                found.append(row)
            inside.setdefault(grid, []).append(row)
    for at, held in inside.items():
        found[places[at]] = grids[at].table([run for row in held for run in row.runs])
    made = [*_tabled(found)]
    has_columns = sum(1 for block in made if isinstance(block, Row)) > sum(1 for block in found if isinstance(block, Row))
    return _by_columns(made) if has_columns else ordered(made)


def _tabled(found: Sequence[Block]) -> Iterator[Block]:
    rows: list[Row] = []
    for block in found:
        if isinstance(block, Row):
            rows.append(block)
        else:
            yield from aligned(rows)
            rows = []
            yield block
    yield from aligned(rows)


def ordered(found: list[Block]) -> list[Block]:
    """As the document says, unless that goes up and down."""
    if not any(_goes_back(one, other) for one, other in pairwise(found)):
        return found
    return _by_columns(found)


def _goes_back(one: Block, other: Block) -> bool:
    above = other.box.y1 < one.box.y0
    return above and other.box.x0 < one.box.x1 and one.box.x0 < other.box.x1


def _by_columns(found: list[Block]) -> list[Block]:
    """From top to bottom; where a gutter parts most of it, the left side before the right one."""
    found = sorted(found, key=lambda block: (round(block.box.y0), block.box.x0))
    gutter = _gutter(found)
    if gutter is None:
        return found
    made: list[Block] = []
    left: list[Block] = []
    right: list[Block] = []
    for block in found:
        if block.box.x1 <= gutter:
            left.append(block)
        elif block.box.x0 >= gutter:
            right.append(block)
        else:
            made += [*_by_columns(left), *_by_columns(right), block]
            left, right = [], []
    return [*made, *_by_columns(left), *_by_columns(right)]


def _gutter(found: list[Block]) -> float | None:
    if len(found) < 2 * _FEWEST_IN_COLUMN:
        return None
    best: tuple[int, float] | None = None
    for place in sorted({block.box.x0 - 1 for block in found}):
        left = sum(1 for block in found if block.box.x1 <= place)
        right = sum(1 for block in found if block.box.x0 >= place)
        crossing = len(found) - left - right
        if min(left, right) >= _FEWEST_IN_COLUMN and crossing * 3 <= len(found) and (best is None or crossing < best[0]):
            best = (crossing, place)
    return best[1] if best else None


class Writer:
    """Puts blocks together, and notes where each row came to stand."""

    def __init__(self, width: float, height: float, body: float) -> None:
        self._width, self._height, self._body = width, height, body
        self._pieces: list[str] = []
        self._length = 0
        self._lines: list[Line] = []

    def written(self, found: Sequence[Block]) -> tuple[str, tuple[Line, ...]]:
        before: Block | None = None
        for at, block in enumerate(found):
            mark = self._heading(block)
            if before is not None:
                between = self._between(before, block, mark, _right_edge(found, at - 1))
                self._write(between)
                # A heading of two rows is one heading.
                mark = "" if between == " " else mark
            start = self._length
            self._write(mark + block.text)
            self._lines.append(self._line(start, block.box))
            before = block
        return "".join(self._pieces), tuple(self._lines)

    def _write(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def _line(self, start: int, box: Box) -> Line:
        return Line(
            start, self._length,
            _part(box.x0, self._width), _part(box.y0, self._height), _part(box.x1, self._width), _part(box.y1, self._height),
        )  # fmt: skip

    def _heading(self, block: Block) -> str:
        if (
            isinstance(block, Table)
            or not self._body
            or len(block.text) > _LONGEST_HEADING
            or not any(map(str.isalpha, block.text))
        ):
            return ""
        return next((mark for times, mark in _HEADING_SIZES if block.size >= times * self._body), "")

    def _between(self, one: Block, other: Block, mark: str, edge: float) -> str:
        if isinstance(one, Table) or isinstance(other, Table):
            return "\n\n"
        if one.goes_on:
            return ""
        gap = other.box.y0 - one.box.y1
        fills = one.box.x1 - one.box.x0 >= _FULL * (edge - one.box.x0)
        if mark or self._heading(one):
            is_one = mark == self._heading(one) and fills and 0 <= gap < _PARAGRAPH_GAP * other.size
            return " " if is_one else "\n\n"
        if _ITEM.match(other.text):
            return "\n" if gap <= 1.2 * other.size else "\n\n"
        if gap > _PARAGRAPH_GAP * min(one.size, other.size) or gap < -other.size:
            return "\n\n"
        is_alike = abs(one.size - other.size) <= _ALIKE * max(one.size, other.size) or one.text[-1:].islower()
        if not fills or not is_alike:
            return "\n"
        return "" if _WIDE.match(one.text[-1:]) and _WIDE.match(other.text[:1]) else " "


def _right_edge(found: Sequence[Block], at: int) -> float:
    """How far the rows around this one reach that begin about where it does."""
    left = found[at].box.x0
    near = found[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS + 1]
    return max(block.box.x1 for block in near if abs(block.box.x0 - left) < _INDENT)


def _part(place: float, whole: float) -> float:
    return round(min(max(place / whole, 0.0), 1.0), 4)
