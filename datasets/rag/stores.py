"""The interface of every store: an index holds entries, and tells the nearest by meaning or by words.

Vectors are little-endian float32 of length one, so that the inner product is the cosine. Calls block: they belong into threads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Final
from uuid import UUID

from difyproj.kernel.errors import InvalidParam

FLOAT_BYTES: Final = 4
# What differs by less is equal: the same sum comes out a little otherwise in another order.
DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class Index:
    """One generation of one dataset. ``dimensions`` is 0 where there are no vectors (economy)."""

    tenant_id: UUID
    dataset_id: UUID
    generation: int
    dimensions: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that can be found. ``text`` is what its words are taken from, empty where only its meaning counts."""

    node_id: UUID
    segment_id: UUID
    document_id: UUID
    text: str = field(repr=False)
    vector: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """``score`` is from 0 to 1: the cosine (negative ones are 0), or the words' BM25 divided by the best one's."""

    node_id: UUID
    segment_id: UUID
    document_id: UUID
    score: float


class Store(ABC):
    """All writes may be repeated; what is written is found by every process within a second."""

    name: ClassVar[str]

    @abstractmethod
    def put(self, index: Index, entries: Sequence[Entry]) -> None:
        """Adds entries, or replaces those with the same ``node_id``. Raises InvalidParam for a vector of another length."""

    @abstractmethod
    def remove(self, index: Index, *, nodes: Collection[UUID] = (), documents: Collection[UUID] = ()) -> None:
        """Forgets entries by their own ids or by their documents'; unknown ids are no error."""

    @abstractmethod
    def drop(self, index: Index) -> None:
        """Forgets the whole index."""

    @abstractmethod
    def count(self, index: Index) -> int: ...

    @abstractmethod
    def nearest(self, index: Index, vector: bytes, *, top_k: int, within: Collection[UUID] | None = None) -> Sequence[Found]:
        """The entries whose vectors are nearest, best first. ``within`` are the documents that may be searched (None: all)."""

    @abstractmethod
    def matching(self, index: Index, text: str, *, top_k: int, within: Collection[UUID] | None = None) -> Sequence[Found]:
        """The entries that hold words of ``text``, best first; Chinese, Japanese and Korean by pairs of characters."""


def demand_vector(index: Index, vector: bytes) -> None:
    """Raises InvalidParam for a vector of another length than the index has."""
    if not index.dimensions or len(vector) != index.dimensions * FLOAT_BYTES:
        raise InvalidParam(
            f"The index holds vectors of {index.dimensions} numbers, not of {len(vector) // FLOAT_BYTES}. "
            "Another embedding model needs another index."
        )


def demand_entries(index: Index, entries: Iterable[Entry]) -> None:
    for entry in entries:
        if entry.vector is not None:
            demand_vector(index, entry.vector)


def ranked(found: Iterable[Found], top_k: int) -> list[Found]:
    """The best ones first, equal ones in the order of their ids: every store answers the same."""
    rounded = [replace(one, score=round(one.score, DECIMALS)) for one in found]
    return sorted(rounded, key=lambda one: (-one.score, one.node_id))[: max(top_k, 0)]
