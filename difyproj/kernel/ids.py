"""Identifiers: random version-4 UUIDs (122 random bits), as Dify's clients expect."""

from __future__ import annotations

import uuid


def new_id() -> uuid.UUID:
    return uuid.uuid4()


def parse(value: object) -> uuid.UUID | None:
    """The UUID that ``value`` writes in its canonical 32 or 36 character form, or None."""
    if isinstance(value, uuid.UUID):
        return value
    if not isinstance(value, str) or len(value) not in (32, 36):
        return None
    try:
        return uuid.UUID(value)
    except ValueError:
        return None
