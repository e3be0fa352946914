"""Pages of a queryset: numbered ones for ``{page, limit, total, has_more, data}`` bodies, windows for cursor lists."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

from .cache import Cached

# A total so large may be a few seconds old: nobody reads it to the last digit, and each page would count all of them anew.
LARGE_TOTAL = 5_000
Row = TypeVar("Row", bound=Model)
Counted = TypeVar("Counted")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    rows: list[Row]
    page: int
    limit: int
    total: int

    @property
    def has_more(self) -> bool:
        return self.page * self.limit < self.total

    def body(self, encode: Callable[[list[Row]], Any]) -> dict[str, Any]:
        """The page's body, its rows encoded by ``encode``."""
        return {
            "page": self.page, "limit": self.limit, "total": self.total, "has_more": self.has_more, "data": encode(self.rows),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """One page of a cursor list."""

    rows: list[Any]
    limit: int
    has_more: bool


def window_of(rows: QuerySet[Any], *, limit: int) -> Window:
    """The first ``limit`` rows, and whether there are more: one query."""
    found = list(rows[: limit + 1])
    return Window(found[:limit], limit, len(found) > limit)


def page_of(rows: QuerySet[Row], *, page: int, limit: int, total: Callable[[QuerySet[Row]], int] | None = None) -> Page[Row]:
    """The page numbered ``page`` (from 1) and how many rows there are in all: one query on the last page, two before it.

    ``total`` may know their number without counting them, and may be a little behind: what was found here is right in any case.
    """
    start = (page - 1) * limit
    found = list(rows[start : start + limit + 1])
    if len(found) <= limit and (found or page == 1):
        return Page(found, page, limit, start + len(found))
    if found and total is not None:
        return Page(found[:limit], page, limit, max(total(rows), start + len(found)))
    return Page(found[:limit], page, limit, rows.order_by().count())


class Totals(Generic[Counted]):
    """What was counted, remembered for ten seconds where it is much, by what was asked. ``size`` is how many there were."""

    def __init__(self, namespace: str, *, size: Callable[[Counted], int]) -> None:
        self._known: Cached[Counted] = Cached(namespace, ttl=10.0, max_entries=1_000)
        self._size = size

    def get(self, key: Hashable, count: Callable[[], Counted]) -> Counted:
        """Exactly while it is little, as of the last seconds when it is much."""
        counted = self._known.get(key, count)
        if self._size(counted) < LARGE_TOTAL:
            self._known.clear(key)
        return counted

    def clear(self) -> None:
        self._known.clear()
