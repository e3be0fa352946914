"""Fields as services take them."""

from __future__ import annotations

from typing import Any


def given(fields: dict[str, Any]) -> dict[str, Any]:
    """A null is as good as nothing."""
    return {name: value for name, value in fields.items() if value is not None}
