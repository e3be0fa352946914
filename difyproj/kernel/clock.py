"""Time: aware UTC datetimes for rows, epoch seconds for the wire, a monotonic clock for durations."""

from __future__ import annotations

import time
from datetime import UTC, datetime

monotonic = time.monotonic


def now() -> datetime:
    return datetime.now(UTC)


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970, as the contract writes times."""
    return int(moment.timestamp())
