"""What this process holds of indexes in memory: brought up to date before each search, the least used ones given up.

A copy asks for the index's row: another stamp means that something was written, and entries with larger keys are read; after
a removal the keys of all that is left are read, too. Inside of a transaction, which may be rolled back, copies are not kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import connection
from django.db.models import QuerySet

from datasets.models import IndexEntry, StoredIndex

from . import parts
from .parts import Mask, Part, Row

ROWS_AT_ONCE: Final = 5000
# Somebody writes so fast that a copy is old when it is made: as it was at the first look, it is good enough.
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Copy:
    """``numbers`` are the documents', by hexadecimal id; they only grow, so that all copies of an index share them."""

    index: int
    dimensions: int
    numbers: dict[str, int] = field(repr=False)
    stamp: UUID | None = None
    removal: UUID | None = None
    parts: tuple[Part, ...] = ()
    statistics: tuple[int, float] = (0, 0.0)

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    @property
    def last(self) -> int:
        return int(self.parts[-1].ids[-1]) if self.parts else 0

    def chosen(self, part: Part, within: Collection[UUID] | None) -> Mask:
        """The living rows of a part that belong to the given documents."""
        if within is None:
            return part.alive
        numbers = [number for document in within if (number := self.numbers.get(document.hex)) is not None]
        wanted = np.zeros(max(len(self.numbers), max(numbers, default=0) + 1), np.bool_)
        wanted[numbers] = True
        return part.alive & wanted[part.documents]

    def refreshed(self) -> Copy:
        """The index as the database has it now."""
        copy = self
        for _ in range(ROUNDS):
            state = StoredIndex.objects.filter(pk=self.index).values_list("stamp", "removal").first()
            if state is None:
                return Copy(self.index, self.dimensions, self.numbers)
            stamp, removal = state
            if stamp == copy.stamp:
                break
            copy = copy._followed(stamp, removal)
        return copy

    def _followed(self, stamp: UUID, removal: UUID) -> Copy:
        found, last = self.parts, self.last
        for rows in self._newer(last):
            found = parts.with_part(found, parts.read(rows, self.dimensions))
        if removal != self.removal and self.stamp is not None:
            left = np.fromiter((key for (key,) in _rows(self._entries().values_list("pk"))), np.int64)
            # What was written meanwhile is read in the next round.
            found = tuple(_dense(part.only(left)) for part in found)
            found = tuple(part for part in found if len(part))
        return replace(self, stamp=stamp, removal=removal, parts=found, statistics=parts.statistics(found))

    def _newer(self, last: int) -> Iterator[list[Row]]:
        names = ("pk", "document_id", "vector", "words") if self.dimensions else ("pk", "document_id", "words")
        held: list[Row] = []
        for key, document, *rest in _rows(self._entries().filter(pk__gt=last).values_list(*names)):
            hex_ = document if isinstance(document, str) else document.hex
            number = self.numbers.setdefault(hex_, len(self.numbers))
            held.append((key, number, rest[0] if self.dimensions else None, rest[-1]))
            if len(held) >= ROWS_AT_ONCE:
                yield held
                held = []
        if held:
            yield held

    def _entries(self) -> QuerySet[IndexEntry]:
        return IndexEntry.objects.filter(index=self.index).order_by("pk")


class Copies:
    """The copies of this process, as many as ``KNOWLEDGE_CACHE_MB`` allows."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[int, int], Copy] = OrderedDict()
        self._reading: dict[tuple[int, int], Lock] = {}

    def fresh(self, index: int, dimensions: int) -> Copy:
        """The copy of an index, by the key of its row. Without dimensions it has words only."""
        if connection.in_atomic_block:
            return Copy(index, dimensions, {}).refreshed()
        key = index, dimensions
        with self._lock:
            reading = self._reading.setdefault(key, Lock())
        with reading:
            copy = (self._kept.get(key) or Copy(index, dimensions, {})).refreshed()
            self._keep(key, copy)
        return copy

    def clear(self) -> None:
        """Another database than before."""
        with self._lock:
            self._kept.clear()

    @property
    def bytes(self) -> int:
        return sum(copy.bytes for copy in list(self._kept.values()))

    def _keep(self, key: tuple[int, int], copy: Copy) -> None:
        with self._lock:
            self._kept[key] = copy
            self._kept.move_to_end(key)
            most = settings.KNOWLEDGE_CACHE_MB * 1024 * 1024
            while len(self._kept) > 1 and self.bytes > most:
                gone, _ = self._kept.popitem(last=False)
                self._reading.pop(gone, None)


def _dense(part: Part) -> Part:
    """Without its dead rows when they are the larger half."""
    return parts.mapped(parts.joined([part])) if 2 * np.count_nonzero(part.alive) < len(part) else part


def _rows(rows: QuerySet[Any, Any]) -> Iterator[tuple[Any, ...]]:
    """As the driver gives them: to make objects of so many would cost more than all the rest."""
    sql, values = rows.query.sql_with_params()
    with connection.chunked_cursor() as cursor:
        cursor.execute(sql, values)
        while some := cursor.fetchmany(ROWS_AT_ONCE):
            yield from some


copies: Final = Copies()
