"""Indexes without any service: vectors are kept with their entries' rows and compared in the memory of this process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar
from uuid import UUID

from datasets.models import StoredIndex
from datasets.rag.stores import Entry, Found, Index, ranked

from .rows import SEARCHES, RowStore, entries_with


class EmbeddedStore(RowStore):
    name: ClassVar[str] = "embedded"

    def dimensions_in_memory(self, index: Index) -> int:
        return index.dimensions

    def kept_vector(self, entry: Entry) -> bytes | None:
        return entry.vector

    def put_vectors(self, index: Index, state: StoredIndex, entries: Sequence[Entry]) -> None:
        """They stand in the rows."""

    def remove_vectors(self, index: Index, state: StoredIndex, nodes: Collection[UUID], documents: Collection[UUID]) -> None:
        """They went with the rows."""

    def drop_vectors(self, index: Index, state: StoredIndex | None) -> None:
        """They went with the rows."""

    def nearest_vectors(
        self, index: Index, state: StoredIndex, vector: bytes, top_k: int, within: Collection[UUID] | None
    ) -> Sequence[Found]:
        found = SEARCHES.get("by_vector")(state.pk, index.dimensions, vector, top_k, within)
        return ranked(entries_with("pk", found), top_k)
