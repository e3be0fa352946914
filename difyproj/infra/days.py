"""Rows counted day by day, in the reader's time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import TruncDate

from difyproj.kernel import clock

Day = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """The days looked at, in the reader's time zone."""

    timezone: str = "UTC"
    start: datetime | None = None
    end: datetime | None = None

    def within(self, rows: QuerySet[Any], column: str = "created_at") -> QuerySet[Any]:
        """The rows of these days."""
        if self.start is not None:
            rows = rows.filter(**{f"{column}__gte": self.start})
        if self.end is not None:
            rows = rows.filter(**{f"{column}__lt": self.end})
        return rows

    def by_day(self, rows: QuerySet[Any], column: str = "created_at") -> QuerySet[Any, Day]:
        """The rows grouped by their ``date``, to be counted by ``annotate``."""
        return rows.order_by().annotate(date=TruncDate(column, tzinfo=clock.zone(self.timezone))).values("date")


def days(counted: QuerySet[Any, Day]) -> Iterator[tuple[str, Day]]:
    """Each day that has something, oldest first, as (ISO date, figures)."""
    for row in counted.order_by("date"):
        yield row["date"].isoformat(), row
