"""Rows of cells as Markdown tables."""

from __future__ import annotations

from collections.abc import Sequence


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


def _cell(text: str, line_break: str) -> str:
    if "\n" in text or "\r" in text:
        text = line_break.join(filter(None, map(str.strip, text.splitlines())))
    return text.strip().replace("|", "\\|")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
