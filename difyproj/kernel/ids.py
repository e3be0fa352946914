"""Identifiers: random version-4 UUIDs (122 random bits), as Dify's clients expect."""

from __future__ import annotations

import os
import uuid

# The system is asked for many at once: a call each is most of what an identifier costs.
_AT_ONCE = 128
_drawn: list[bytes] = []
os.register_at_fork(after_in_child=_drawn.clear)


def new_id() -> uuid.UUID:
    try:
        drawn = _drawn.pop()
    except IndexError:
        many = os.urandom(16 * _AT_ONCE)
        _drawn.extend(many[at : at + 16] for at in range(16, len(many), 16))
        drawn = many[:16]
    return uuid.UUID(bytes=drawn, version=4)


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
