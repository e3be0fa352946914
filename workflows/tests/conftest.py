"""Fixtures of the engine's tests."""

from __future__ import annotations

import pytest

from . import acting


@pytest.fixture(autouse=True)
def _forgotten() -> None:
    """Each test begins with empty logs."""
    acting.forget()
