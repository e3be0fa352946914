"""One store measured, in a process and a database of its own (bench.stores)."""

from __future__ import annotations

import resource
import time
from threading import enumerate as threads
from uuid import UUID

from django.core.management import call_command

from bench.store_data import DIMENSIONS, Data, data, timed
from datasets.models import StoredIndex
from datasets.rag.stores import Entry, Index, Store
from datasets.stores import store_named, vector_table

BATCH = 500
DOCUMENT = 50
INDEX = Index(UUID(int=1), UUID(int=2), 1, DIMENSIONS)


def measure(name: str, rows: int) -> None:
    """Prints all figures of one store."""
    call_command("migrate", verbosity=0)
    given, store = data(rows), store_named(name)
    _write(store, given, rows)
    began = time.perf_counter()
    store.nearest(INDEX, given.asked[0].tobytes(), top_k=10)
    store.matching(INDEX, given.questions[0], top_k=10)
    print(f"    first question: {time.perf_counter() - began:.2f} s")
    _ask(store, given, rows, "exact")
    timed("words", lambda at: store.matching(INDEX, given.questions[at], top_k=10))
    began = time.perf_counter()
    _wait_for_graphs(name)
    print(f"    HNSW, where there are rows enough, after {time.perf_counter() - began:.0f} s")
    _ask(store, given, rows, "HNSW")
    print(f"    peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, the data themselves included")


def _write(store: Store, given: Data, rows: int) -> None:
    entries = [
        Entry(UUID(int=at), UUID(int=at), UUID(int=at // DOCUMENT), text, vector.tobytes())
        for at, (text, vector) in enumerate(zip(given.texts, given.vectors, strict=True))
    ]
    began, cpu = time.perf_counter(), time.process_time()
    for at in range(0, rows, BATCH):
        store.put(INDEX, entries[at : at + BATCH])
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    print(f"    written: {cpu:.1f} s CPU of ours, {wall:.1f} s; per 1 000 {cpu / rows * 1e6:.0f} ms CPU")


def _wait_for_graphs(name: str) -> None:
    if name == "pgvector":
        while not vector_table.approximate(StoredIndex.objects.get().pk, DIMENSIONS):
            time.sleep(0.2)
    for thread in threads():
        if thread.name == "neighbours":
            thread.join()


def _ask(store: Store, given: Data, rows: int, title: str) -> None:
    within = [UUID(int=at) for at in range(0, rows // DOCUMENT, 4)]

    def near(at: int, top_k: int = 10) -> set[int]:
        return {one.node_id.int for one in store.nearest(INDEX, given.asked[at].tobytes(), top_k=top_k)}

    def hybrid(at: int) -> None:
        near(at, 20)
        store.matching(INDEX, given.questions[at], top_k=20)

    timed(f"meaning, {title}", near)
    timed(
        f"meaning in a quarter, {title}",
        lambda at: store.nearest(INDEX, given.asked[at].tobytes(), top_k=10, within=within),
    )
    recall = sum(len(near(at) & right) for at, right in enumerate(given.right)) / 10 / len(given.right)
    print(f"    recall@10, {title}: {recall:.4f}")
    timed(f"hybrid, {title}", hybrid)
