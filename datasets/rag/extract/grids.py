"""Tables of a page: those between drawn lines, and those whose rows merely stand in columns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from . import tables
from .pdf_rows import Box, Row, Run

_NEAR: Final = 3.0
_MOST_COLUMNS, _MOST_ROWS = 40, 300
_FEWEST_ROWS: Final = 3
_LONG_CELL: Final = 30
"""Columns whose cells are longer than this on average are columns of text."""
_BULLET: Final = re.compile(r"[•◦▪▸\u2013—*·-]|\(?\w{1,3}[.)]|\[\w{1,4}\]")


@dataclass(frozen=True, slots=True)
class Table:
    """In Markdown, and where it stands."""

    text: str
    box: Box


@dataclass(frozen=True, slots=True)
class Grid:
    """Where lines are drawn: the edges of columns and rows."""

    xs: tuple[float, ...]
    ys: tuple[float, ...]

    @property
    def box(self) -> Box:
        return Box(self.xs[0], self.ys[0], self.xs[-1], self.ys[-1])

    def table(self, runs: Sequence[Run]) -> Table:
        cells = [[""] * (len(self.xs) - 1) for _ in pairwise(self.ys)]
        for run in runs:
            row = _slot(self.ys, (run.box.y0 + run.box.y1) / 2)
            column = _slot(self.xs, (run.box.x0 + run.box.x1) / 2)
            before = cells[row][column]
            cells[row][column] = f"{before} {run.text}" if before else run.text
        return Table(tables.markdown(cells), self.box)


def grids(across: Sequence[Box], upright: Sequence[Box]) -> Iterator[Grid]:
    """Lines that meet are a grid; one of less than two columns and two rows is a frame."""
    lines = [*across, *upright]
    parents = [*range(len(lines))]

    def root(at: int) -> int:
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    for one in range(len(across)):
        for other in range(len(across), len(lines)):
            if _meet(lines[one], lines[other]):
                parents[root(one)] = root(other)
    groups: dict[int, list[int]] = {}
    for at in range(len(lines)):
        groups.setdefault(root(at), []).append(at)
    for group in groups.values():
        xs = _merged(lines[at].x0 for at in group if at >= len(across))
        ys = _merged(lines[at].y0 for at in group if at < len(across))
        if 3 <= len(xs) <= _MOST_COLUMNS and 3 <= len(ys) <= _MOST_ROWS:
            yield Grid(tuple(xs), tuple(ys))


def aligned(rows: Sequence[Row]) -> Iterator[Table | Row]:
    """Rows in columns become tables; where the columns are text, each of their rows stands alone. All others stay."""
    at = 0
    while at < len(rows):
        end = at
        while end < len(rows) and len(rows[end].runs) > 1 and (end == at or _follows(rows[end - 1], rows[end])):
            end += 1
        if end - at >= _FEWEST_ROWS:
            yield from _in_columns(rows[at:end])
            at = end
        else:
            yield from rows[at : max(end, at + 1)]
            at = max(end, at + 1)


def beside(rows: Iterable[Row]) -> Iterator[Row]:
    """What follows on the same height, to the right, belongs to the row."""
    held: Row | None = None
    for row in rows:
        if held is not None and not held.goes_on and _stands_beside(held, row):
            held = Row((*held.runs, *row.runs), held.box.around(row.box), max(held.size, row.size), row.goes_on)
            continue
        if held is not None:
            yield held
        held = row
    if held is not None:
        yield held


def _stands_beside(one: Row, other: Row) -> bool:
    if one.is_upright or other.is_upright:
        return False
    common = min(one.box.y1, other.box.y1) - max(one.box.y0, other.box.y0)
    lower = min(one.box.y1 - one.box.y0, other.box.y1 - other.box.y0)
    return other.box.x0 > one.box.x1 and common > lower / 2 and abs(one.size - other.size) < max(one.size, other.size) / 5


def _in_columns(rows: Sequence[Row]) -> Iterable[Table | Row]:
    columns = _columns(rows)
    if not 2 <= len(columns) <= _MOST_COLUMNS:
        return rows
    cells: list[list[str]] = []
    for row in rows:
        told = [""] * len(columns)
        for run in row.runs:
            column = next(at for at, (left, right) in enumerate(columns) if left <= run.box.x0 <= right)
            if told[column]:
                return rows
            told[column] = run.text
        cells.append(told)
    if all(_BULLET.fullmatch(row[0]) for row in cells if row[0]):
        return rows
    filled = [cell for row in cells for cell in row if cell]
    if sum(map(len, filled)) > _LONG_CELL * len(filled):
        return [Row((run,), run.box, row.size) for row in rows for run in row.runs]
    box = rows[0].box
    for row in rows[1:]:
        box = box.around(row.box)
    return [Table(tables.markdown(cells), box)]


def _columns(rows: Sequence[Row]) -> list[tuple[float, float]]:
    """Stretches of the width in which anything stands."""
    columns: list[tuple[float, float]] = []
    for left, right in sorted((run.box.x0, run.box.x1) for row in rows for run in row.runs):
        if columns and left <= columns[-1][1] + 1:
            columns[-1] = (columns[-1][0], max(columns[-1][1], right))
        else:
            columns.append((left, right))
    return columns


def _follows(one: Row, other: Row) -> bool:
    height = max(one.size, other.size, 1.0)
    return 0 < other.box.y0 - one.box.y0 < 3 * height


def _meet(across: Box, upright: Box) -> bool:
    return across.x0 - _NEAR <= upright.x0 <= across.x1 + _NEAR and upright.y0 - _NEAR <= across.y0 <= upright.y1 + _NEAR


def _merged(places: Iterator[float]) -> list[float]:
    found: list[float] = []
    for place in sorted(places):
        if not found or place - found[-1] > _NEAR:
            found.append(place)
    return found


def _slot(edges: Sequence[float], place: float) -> int:
    return next((at for at, edge in enumerate(edges[1:-1]) if place < edge), len(edges) - 2)
