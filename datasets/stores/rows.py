"""What every store has in the database: a row per index and per entry, with the entry's words; words are searched in memory.

Where vectors are kept is the subclasses' own.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

from django.db import connection, transaction

from datasets.models import IndexEntry, StoredIndex
from datasets.rag import bm25
from datasets.rag.stores import Entry, Found, Index, Store, demand_entries, demand_vector, ranked
from difyproj.kernel.registry import Registry

# Several questions at once keep all cores busy; threads that wait for each other's part of one would take them away. Read by
# numpy when it is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

T = TypeVar("T")
Search = Callable[[int, int, Any, int, Collection[UUID] | None], dict[int, float]]

# In the memory of this process. Who only writes to an index never loads them, nor numpy.
SEARCHES: Final[Registry[Search]] = Registry(
    "search", {"by_words": "datasets.stores.searched:by_words", "by_vector": "datasets.stores.searched:by_vector"}
)

# Variables of one statement, far below what every database takes.
AT_ONCE: Final = 500
_COLUMNS: Final = ("index_id", "node_id", "segment_id", "document_id", "words", "vector")


class RowStore(Store):
    """Writes to one index wait for each other; they belong to the caller's transaction where there is one."""

    def put(self, index: Index, entries: Sequence[Entry]) -> None:
        demand_entries(index, entries)
        last = {entry.node_id: entry for entry in entries}
        if not last:
            return
        with transaction.atomic():
            state = _held(index)
            replaced = self._delete(state, "node_id", last)
            self._insert(state, list(last.values()))
            _changed(state, state.size + len(last) - replaced, was_removal=bool(replaced))
            self.put_vectors(index, state, list(last.values()))

    def remove(self, index: Index, *, nodes: Collection[UUID] = (), documents: Collection[UUID] = ()) -> None:
        if state_of(index) is None:
            return
        with transaction.atomic():
            state = _held(index)
            gone = self._delete(state, "node_id", nodes) + self._delete(state, "document_id", documents)
            if gone:
                _changed(state, state.size - gone, was_removal=True)
            self.remove_vectors(index, state, nodes, documents)

    def drop(self, index: Index) -> None:
        with transaction.atomic():
            state = _of(index).select_for_update().first()
            if state is not None:
                entries = IndexEntry.objects.filter(index=state)
                entries._raw_delete(entries.db)  # nothing that Django knows of points at them
                StoredIndex.objects.filter(pk=state.pk).delete()
            self.drop_vectors(index, state)

    def count(self, index: Index) -> int:
        state = state_of(index)
        return 0 if state is None else state.size

    def nearest(self, index: Index, vector: bytes, *, top_k: int, within: Collection[UUID] | None = None) -> Sequence[Found]:
        demand_vector(index, vector)
        state = state_of(index)
        if state is None or top_k < 1 or not state.size or (within is not None and not within):
            return []
        return self.nearest_vectors(index, state, vector, top_k, within)

    def matching(self, index: Index, text: str, *, top_k: int, within: Collection[UUID] | None = None) -> Sequence[Found]:
        asked = bm25.asked(text)
        state = state_of(index)
        if state is None or top_k < 1 or not asked or (within is not None and not within):
            return []
        found = SEARCHES.get("by_words")(state.pk, self.dimensions_in_memory(index), asked, top_k, within)
        best = max(found.values(), default=1.0)
        return ranked(entries_with("pk", {key: score / best for key, score in found.items()}), top_k)

    def dimensions_in_memory(self, index: Index) -> int:
        """Of the vectors that stand beside the words in the copies of this process: none."""
        return 0

    def kept_vector(self, entry: Entry) -> bytes | None:
        """What the entry's own row holds of its vector: nothing."""
        return None

    @abstractmethod
    def put_vectors(self, index: Index, state: StoredIndex, entries: Sequence[Entry]) -> None:
        """In the transaction that wrote the entries' rows; some may have no vector, and may have had one."""

    @abstractmethod
    def remove_vectors(
        self, index: Index, state: StoredIndex, nodes: Collection[UUID], documents: Collection[UUID]
    ) -> None: ...

    @abstractmethod
    def drop_vectors(self, index: Index, state: StoredIndex | None) -> None: ...

    @abstractmethod
    def nearest_vectors(
        self, index: Index, state: StoredIndex, vector: bytes, top_k: int, within: Collection[UUID] | None
    ) -> Sequence[Found]: ...

    def _insert(self, state: StoredIndex, entries: Sequence[Entry]) -> None:
        fields: list[Any] = [
            IndexEntry._meta.get_field(name.removesuffix("_id") if name == "index_id" else name) for name in _COLUMNS
        ]
        names, places = ", ".join(_COLUMNS), ", ".join(["%s"] * len(_COLUMNS))
        rows = (
            (state.pk, entry.node_id, entry.segment_id, entry.document_id, bm25.bag(entry.text), self.kept_vector(entry))
            for entry in entries
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {IndexEntry._meta.db_table} ({names}) VALUES ({places})",  # noqa: S608  names of our own model
                [[field.get_db_prep_save(value, connection) for field, value in zip(fields, row, strict=True)] for row in rows],
            )

    def _delete(self, state: StoredIndex, name: str, values: Iterable[UUID]) -> int:
        gone = 0
        for some in batches(values, AT_ONCE):
            rows = IndexEntry.objects.filter(index=state, **{f"{name}__in": some})
            gone += rows._raw_delete(rows.db)  # in one statement, without reading them first
        return gone


def state_of(index: Index) -> StoredIndex | None:
    return _of(index).first()


def entries_with(name: str, scores: Mapping[Any, float], **where: Any) -> list[Found]:
    """The entries whose ``name`` is among the keys of ``scores``; those that are gone are left out."""
    found: list[Found] = []
    for some in batches(scores, AT_ONCE):
        rows = IndexEntry.objects.filter(**{f"{name}__in": some}, **where)
        for key, node, segment, document in rows.values_list(name, "node_id", "segment_id", "document_id").order_by():
            found.append(Found(node, segment, document, min(max(scores[key], 0.0), 1.0)))
    return found


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(values)
    while some := list(islice(left, size)):
        yield some


def _of(index: Index) -> Any:
    return StoredIndex.objects.for_tenant(index.tenant_id).filter(dataset_id=index.dataset_id, generation=index.generation)


def _held(index: Index) -> StoredIndex:
    """The index's row, locked, and made where there is none."""
    while True:
        state: StoredIndex | None = _of(index).select_for_update().first()
        if state is not None:
            return state
        new = StoredIndex(tenant_id=index.tenant_id, dataset_id=index.dataset_id, generation=index.generation)
        StoredIndex.objects.bulk_create([new], ignore_conflicts=True)


def _changed(state: StoredIndex, size: int, *, was_removal: bool) -> None:
    values: dict[str, Any] = {"stamp": uuid4(), "size": size}
    if was_removal:
        values["removal"] = values["stamp"]
    StoredIndex.objects.filter(pk=state.pk).update(**values)
    state.size = size
