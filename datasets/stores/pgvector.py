"""Vectors in PostgreSQL, by pgvector: compared exactly while an index is small or a filter leaves little, else by HNSW."""

# ruff: noqa: S608  the names are our own, and so are the numbers; whatever comes from others is a parameter
from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db import DatabaseError, connection

from datasets.models import StoredIndex
from datasets.rag.stores import Entry, Found, Index, ranked
from difyproj.kernel.errors import ServiceUnavailable

from . import vector_table
from .rows import AT_ONCE, RowStore, batches, entries_with
from .vector_table import TABLE

# Entries that are compared one by one: a few milliseconds.
FEW: Final = 10_000
# Candidates of an HNSW search: the more, the better and the slower.
BREADTH, WIDEST = 100, 1000
# More than are asked for, of which the best by the whole numbers are taken.
SPARE: Final = 4


class PgvectorStore(RowStore):
    name: ClassVar[str] = "pgvector"

    def put_vectors(self, index: Index, state: StoredIndex, entries: Sequence[Entry]) -> None:
        try:
            vector_table.ensure()
        except DatabaseError as error:
            raise ServiceUnavailable("This database does not hold vectors: its extension vector is missing.") from error
        bare = [entry.node_id for entry in entries if entry.vector is None]
        with connection.cursor() as cursor:
            if bare:
                cursor.execute(f"DELETE FROM {TABLE} WHERE index_id = %s AND node_id = ANY(%s::uuid[])", [state.pk, bare])
            for some in batches((entry for entry in entries if entry.vector is not None), AT_ONCE):
                cursor.execute(
                    f"INSERT INTO {TABLE} (index_id, node_id, document_id, embedding) "
                    "SELECT %s, node_id, document_id, embedding::vector "
                    "FROM unnest(%s::uuid[], %s::uuid[], %s::text[]) AS given (node_id, document_id, embedding) "
                    "ON CONFLICT (index_id, node_id) "
                    "DO UPDATE SET document_id = excluded.document_id, embedding = excluded.embedding",
                    [
                        state.pk,
                        [entry.node_id for entry in some],
                        [entry.document_id for entry in some],
                        [_text(entry.vector or b"") for entry in some],
                    ],
                )

    def remove_vectors(self, index: Index, state: StoredIndex, nodes: Collection[UUID], documents: Collection[UUID]) -> None:
        if not vector_table.is_possible():
            return
        with connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {TABLE} WHERE index_id = %s AND (node_id = ANY(%s::uuid[]) OR document_id = ANY(%s::uuid[]))",
                [state.pk, list(nodes), list(documents)],
            )

    def drop_vectors(self, index: Index, state: StoredIndex | None) -> None:
        if state is None or not vector_table.is_possible():
            return
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {TABLE} WHERE index_id = %s", [state.pk])
        vector_table.drop(state.pk)

    def nearest_vectors(
        self, index: Index, state: StoredIndex, vector: bytes, top_k: int, within: Collection[UUID] | None
    ) -> Sequence[Found]:
        if not vector_table.is_possible():
            raise ServiceUnavailable("This database does not hold vectors: its extension vector is missing.")
        search = _Search(state.pk, index.dimensions, _text(vector), top_k, None if within is None else list(within))
        near = search.exact() if search.is_small(state.size) else search.approximate()
        return ranked(entries_with("node_id", near, index_id=state.pk), top_k)


class _Search:
    """One question, by SQL."""

    def __init__(self, index: int, dimensions: int, vector: str, top_k: int, within: list[UUID] | None) -> None:
        self._index, self._dimensions, self._vector, self._top_k = index, dimensions, vector, top_k
        # The index's own number stands in the text: the planner takes the HNSW index only when it sees it.
        self._where = f"index_id = {index:d}" + ("" if within is None else " AND document_id = ANY(%s::uuid[])")
        self._within: list[Any] = [] if within is None else [within]

    def is_small(self, size: int) -> bool:
        if size <= FEW:
            return True
        if self._within and self._count(FEW + 1) <= FEW:
            return True
        return not vector_table.approximate(self._index, self._dimensions)

    def exact(self) -> dict[UUID, float]:
        with connection.cursor() as cursor:
            return self._best(cursor, f"(SELECT node_id, embedding FROM {TABLE} WHERE {self._where}) AS near", self._within)

    def approximate(self) -> dict[UUID, float]:
        wanted = self._top_k * SPARE
        order = vector_table.typed("embedding", self._dimensions), vector_table.typed("%s", self._dimensions)
        near = (
            f"(SELECT node_id, embedding FROM {TABLE} WHERE {self._where} "
            f"ORDER BY ({order[0]}) <#> {order[1]} LIMIT {wanted:d}) AS near"
        )
        with vector_table.searching(min(max(BREADTH, wanted), WIDEST)) as cursor:
            return self._best(cursor, near, [*self._within, self._vector])

    def _best(self, cursor: Any, near: str, values: list[Any]) -> dict[UUID, float]:
        """Of equal ones all, up to a bound: who is first among them is told by their ids."""
        cursor.execute(
            f"SELECT node_id, -(embedding <#> %s::vector) AS score FROM {near} "
            f"ORDER BY score DESC FETCH FIRST {self._top_k:d} ROWS WITH TIES",
            [self._vector, *values],
        )
        return dict(cursor.fetchall())

    def _count(self, most: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT count(*) FROM (SELECT 1 FROM {TABLE} WHERE {self._where} LIMIT {most:d}) AS few", self._within
            )
            return int(cursor.fetchone()[0])


def _text(vector: bytes) -> str:
    """As pgvector reads it; nine digits give every number back as it was."""
    numbers = array("f", vector)
    return f"[{','.join(['%.9g'] * len(numbers)) % tuple(numbers)}]"
