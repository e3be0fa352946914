"""The same work by LangChain: Chroma for meaning, its BM25 retriever for words. Run by bench.stores, in another environment."""

from __future__ import annotations

import resource
import sys
import time
from importlib import import_module
from typing import Any

from bench.store_data import data, timed

BATCH = 500
# They are no dependencies of this house, so no import names them.
Chroma: Any = import_module("langchain_chroma").Chroma
BM25Retriever: Any = import_module("langchain_community.retrievers").BM25Retriever


class Given:
    """Vectors that are there already."""

    def __init__(self) -> None:
        self.next: list[list[float]] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.next

    def embed_query(self, text: str) -> list[float]:
        return self.next[0]


def main(rows: int, folder: str) -> None:
    given, embeddings = data(rows), Given()
    store = Chroma("bench", embeddings, persist_directory=folder, collection_metadata={"hnsw:space": "ip"})
    began, cpu = time.perf_counter(), time.process_time()
    for at in range(0, rows, BATCH):
        embeddings.next = given.vectors[at : at + BATCH].tolist()
        store.add_texts(given.texts[at : at + BATCH], ids=[str(number) for number in range(at, min(at + BATCH, rows))])
    words = BM25Retriever.from_texts(given.texts)
    words.k = 20
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    print(f"    written: {cpu:.1f} s CPU, {wall:.1f} s; per 1 000 {cpu / rows * 1e6:.0f} ms CPU")

    def near(at: int) -> set[int]:
        found = store.similarity_search_by_vector(given.asked[at].tolist(), k=10)
        return {int(one.id) for one in found}

    def hybrid(at: int) -> None:
        near(at)
        words.invoke(given.questions[at])

    timed("meaning", near)
    recall = sum(len(near(at) & right) for at, right in enumerate(given.right)) / 10 / len(given.right)
    print(f"    recall@10: {recall:.4f}")
    timed("words", lambda at: words.invoke(given.questions[at]), range(20))
    timed("hybrid", hybrid, range(20))
    print(f"    peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, the data themselves included")


main(int(sys.argv[1]), sys.argv[2])
