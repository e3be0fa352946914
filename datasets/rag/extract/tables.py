"""Rows of cells as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

BLOCK: Final = 256 * 1024
"""Characters of one table."""


def markdown(rows: Sequence[Sequence[str]], *, line_break: str = " ") -> str:
    """The first row is the head. Rows and columns at the end that are empty throughout are left out."""
    kept = [[_cell(cell, line_break) for cell in row] for row in rows]
    while kept and not any(kept[-1]):
        kept.pop()
    width = max((at + 1 for row in kept for at, cell in enumerate(row) if cell), default=0)
    if not width:
        return ""
    lines = [_line([*row[:width], *[""] * (width - len(row))]) for row in kept]
    return "\n".join([lines[0], _line(["---"] * width), *lines[1:]])


def blocks(rows: Iterable[Sequence[str]], *, line_break: str = " ") -> Iterator[str]:
    """A long table as several, each of which says the head again."""
    head: list[Sequence[str]] = []
    held: list[Sequence[str]] = []
    size = 0
    for row in rows:
        held.append(row)
        size += sum(map(len, row)) + 3 * len(row)
        if size > BLOCK:
            yield from filter(None, [markdown([*head, *held], line_break=line_break)])
            head, held, size = head or held[:1], [], 0
    if held:
        yield from filter(None, [markdown([*head, *held], line_break=line_break)])


def _cell(text: str, line_break: str) -> str:
    if "\n" in text or "\r" in text:
        text = line_break.join(filter(None, map(str.strip, text.splitlines())))
    return text.strip().replace("|", "\\|")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
