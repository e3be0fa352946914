"""Versions of the DSL, and what a file's version means for its import."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from .errors import DslError

CURRENT: Final = "0.6.0"
OLDEST: Final = "0.1.0"
"""What a file without a version is taken for."""
_VERSION: Final = re.compile(r"v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[.+-]?[0-9A-Za-z.+-]{0,64})?")


class Fit(StrEnum):
    """How a file of a version is taken. The words are those of an import's answer."""

    COMPLETED = "completed"
    WITH_WARNINGS = "completed-with-warnings"
    PENDING = "pending"


def fit(version: str) -> Fit:
    """A newer file waits for a confirmation; one of an older minor version is taken with a warning. Raises DslError."""
    given, mine = _parsed(version), _parsed(CURRENT)
    if given > mine or given[0] < mine[0]:
        return Fit.PENDING
    return Fit.WITH_WARNINGS if given[1] < mine[1] else Fit.COMPLETED


def _parsed(version: str) -> tuple[int, int, int]:
    found = _VERSION.fullmatch(version)
    if found is None:
        raise DslError(f"Invalid DSL version {version[:64]!r}", params="version")
    return int(found[1]), int(found[2]), int(found[3] or 0)
