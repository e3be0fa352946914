"""What is pgvector's alone: its table is made when it is needed, large indexes get an HNSW index of their own."""

from __future__ import annotations

import random
from array import array
from concurrent.futures import ThreadPoolExecutor
from threading import enumerate as threads
from uuid import UUID

import pytest
from django.db import connection

from datasets.models import StoredIndex
from datasets.rag.stores import Entry, Index
from datasets.stores import default_name, pgvector, vector_table
from datasets.stores.memory import MemoryStore
from datasets.stores.pgvector import PgvectorStore
from difyproj.kernel.errors import ServiceUnavailable

TENANT = UUID(int=1)


def index(number: int, dimensions: int) -> Index:
    return Index(TENANT, UUID(int=number), 1, dimensions)


def entries(count: int, dimensions: int, documents: int = 10) -> list[Entry]:
    chance = random.Random(count)
    return [
        Entry(UUID(int=number + 1), UUID(int=number + 1), UUID(int=number % documents), "", direction(chance, dimensions))
        for number in range(count)
    ]


def direction(chance: random.Random, dimensions: int) -> bytes:
    numbers = [chance.gauss(0, 1) for _ in range(dimensions)]
    length = sum(number * number for number in numbers) ** 0.5
    return array("f", [number / length for number in numbers]).tobytes()


def hnsw_indexes() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE %s", [f"{vector_table.TABLE}_hnsw_%"])
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize(("dimensions", "size"), [(16, 400), (2100, 110)])
def test_a_large_index_is_searched_by_hnsw_in_the_end_and_filters_lose_nothing(
    dimensions: int, size: int, on_pgvector: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector, "FEW", 100)
    store, measure, place = PgvectorStore(), MemoryStore(), index(1, dimensions)
    written = entries(size, dimensions)
    for one in (store, measure):
        one.put(place, written)
        one.put(index(2, dimensions), entries(90, dimensions))
    asked = direction(random.Random(9), dimensions)
    assert [one.node_id for one in store.nearest(place, asked, top_k=10)] == [
        one.node_id for one in measure.nearest(place, asked, top_k=10)
    ]
    for thread in threads():
        if thread.name.startswith("hnsw-"):
            thread.join(30)
    assert hnsw_indexes() == 1
    for within in (None, [UUID(int=number) for number in range(5)], [UUID(int=3)]):
        right = {one.node_id for one in measure.nearest(place, asked, top_k=10, within=within)}
        ours = store.nearest(place, asked, top_k=10, within=within)
        assert len(ours) == 10 and len(right & {one.node_id for one in ours}) >= 9
        assert [one.score for one in ours] == sorted((one.score for one in ours), reverse=True)
    store.remove(place, documents=[UUID(int=number) for number in range(5)])
    assert all(one.document_id.int >= 5 for one in store.nearest(place, asked, top_k=10))
    assert len(store.nearest(place, asked, top_k=10)) == 10
    store.drop(place)
    assert hnsw_indexes() == 0
    assert store.count(index(2, dimensions)) == 90


def test_the_planner_takes_the_hnsw_index(on_pgvector: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgvector, "FEW", 100)
    store, place = PgvectorStore(), index(1, 16)
    store.put(place, entries(500, 16))
    key = StoredIndex.objects.get().pk
    assert vector_table.build(key, 16)
    order = vector_table.typed("embedding", 16)
    with vector_table.searching(100) as cursor:
        cursor.execute(
            f"EXPLAIN SELECT node_id FROM {vector_table.TABLE} WHERE index_id = {key} "
            f"ORDER BY ({order}) <#> %s::vector(16) LIMIT 10",
            [pgvector._text(direction(random.Random(1), 16))],
        )
        assert "_hnsw_" in "".join(row[0] for row in cursor.fetchall())


def test_the_table_is_made_once_however_many_need_it_at_the_same_time(on_pgvector: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {vector_table.TABLE}; DROP EXTENSION IF EXISTS vector")
    vector_table.forget()

    def write(number: int) -> None:
        try:
            PgvectorStore().put(index(number, 4), entries(1, 4))
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert all(PgvectorStore().count(index(number, 4)) == 1 for number in range(6))


def test_new_datasets_are_kept_here_where_the_database_can(on_pgvector: None) -> None:
    assert default_name() == "pgvector"


def test_a_database_without_the_extension_says_so(on_pgvector: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {vector_table.TABLE}; DROP EXTENSION IF EXISTS vector")
    vector_table.forget()
    monkeypatch.setattr(vector_table, "EXTENSION", "vector_that_is_not_installed")
    assert default_name() == "embedded"
    store, place = PgvectorStore(), index(1, 4)
    with pytest.raises(ServiceUnavailable, match="extension vector is missing"):
        store.put(place, entries(1, 4))
    assert store.count(place) == 0
