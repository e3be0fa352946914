"""Which store holds a dataset's index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import ClassVar
from uuid import UUID

from datasets.models import Dataset, IndexEntry
from datasets.rag.stores import Entry, Found, Index, Store


class Rows(Store):
    """Entries as rows; searched by nothing yet."""

    name: ClassVar[str] = "rows"

    def put(self, index: Index, entries: Sequence[Entry]) -> None:
        self.remove(index, nodes=[entry.node_id for entry in entries])
        IndexEntry.objects.bulk_create(
            IndexEntry(
                dataset_id=index.dataset_id, generation=index.generation, node_id=entry.node_id, vector=entry.vector,
                segment_id=entry.segment_id, document_id=entry.document_id,
            )
            for entry in entries
        )  # fmt: skip

    def remove(self, index: Index, *, nodes: Collection[UUID] = (), documents: Collection[UUID] = ()) -> None:
        rows = IndexEntry.objects.filter(dataset_id=index.dataset_id, generation=index.generation)
        rows.filter(node_id__in=nodes).delete()
        rows.filter(document_id__in=documents).delete()

    def drop(self, index: Index) -> None:
        IndexEntry.objects.filter(dataset_id=index.dataset_id, generation=index.generation).delete()

    def count(self, index: Index) -> int:
        return IndexEntry.objects.filter(dataset_id=index.dataset_id, generation=index.generation).count()

    def nearest(self, index: Index, vector: bytes, *, top_k: int, within: Collection[UUID] | None = None) -> Sequence[Found]:
        return ()

    def matching(self, index: Index, text: str, *, top_k: int, within: Collection[UUID] | None = None) -> Sequence[Found]:
        return ()


def store_named(name: str) -> Store:
    return Rows()


def store_of(dataset: Dataset) -> Store:
    return store_named(dataset.store)
