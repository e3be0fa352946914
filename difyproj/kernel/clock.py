"""Time: aware UTC datetimes for rows, epoch seconds for the wire, a monotonic clock for durations."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

monotonic = time.monotonic


def now() -> datetime:
    return datetime.now(UTC)


def zone(name: str) -> ZoneInfo:
    """The time zone of this name; UTC for one that is not known here."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970, as the contract writes times."""
    return int(moment.timestamp())
