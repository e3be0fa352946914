"""Walls that need nothing of the system: interpreters that have nothing to give away, in processes that may do nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .programs import JAVASCRIPT, PYTHON, Bounds, Program, command


class Embedded:
    """The programs limit and enclose themselves."""

    languages: Mapping[str, Sequence[Program]] = {"python3": (PYTHON,), "javascript": (JAVASCRIPT,)}

    def __init__(self, *, packages: str = "") -> None:
        """Monty cannot import packages."""

    def refusal(self) -> str:
        return ""

    def command(self, program: Program, bounds: Bounds) -> list[str]:
        return command(program, bounds)
