"""Indexes in this process's memory, searched one by one: for tests, and what the other stores are measured against."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from operator import mul
from threading import RLock
from typing import ClassVar
from uuid import UUID

from datasets.rag import bm25
from datasets.rag.stores import Entry, Found, Index, Store, demand_entries, demand_vector, ranked

Bag = dict[int, int]


class MemoryStore(Store):
    name: ClassVar[str] = "memory"

    def __init__(self) -> None:
        self._lock = RLock()
        self._kept: dict[tuple[UUID, UUID, int], dict[UUID, tuple[Entry, Bag]]] = {}

    def put(self, index: Index, entries: Sequence[Entry]) -> None:
        demand_entries(index, entries)
        with self._lock:
            kept = self._kept.setdefault(_key(index), {})
            for entry in entries:
                kept[entry.node_id] = entry, bm25.opened(bm25.bag(entry.text) or b"")

    def remove(self, index: Index, *, nodes: Collection[UUID] = (), documents: Collection[UUID] = ()) -> None:
        with self._lock:
            kept = self._kept.get(_key(index), {})
            gone = {*nodes, *(node for node, (entry, _) in kept.items() if entry.document_id in documents)}
            for node in gone:
                kept.pop(node, None)

    def drop(self, index: Index) -> None:
        with self._lock:
            self._kept.pop(_key(index), None)

    def count(self, index: Index) -> int:
        return len(self._entries(index))

    def nearest(self, index: Index, vector: bytes, *, top_k: int, within: Collection[UUID] | None = None) -> Sequence[Found]:
        demand_vector(index, vector)
        asked = array("f", vector)
        return ranked(
            [
                _found(entry, max(0.0, sum(map(mul, asked, array("f", entry.vector)))))
                for entry, _ in self._entries(index)
                if entry.vector is not None and (within is None or entry.document_id in within)
            ],
            top_k,
        )

    def matching(self, index: Index, text: str, *, top_k: int, within: Collection[UUID] | None = None) -> Sequence[Found]:
        entries = [(entry, bag, sum(bag.values())) for entry, bag in self._entries(index) if bag]
        lengths = sum(length for _, _, length in entries) / len(entries) if entries else 0.0
        asked = bm25.asked(text)
        rarities = {word: bm25.rarity(len(entries), sum(word in bag for _, bag, _ in entries)) for word in asked}
        found = []
        for entry, bag, length in entries:
            flat = bm25.K1 * (1 - bm25.B + bm25.B * length / lengths)
            score = sum(rarities[word] * bag[word] * (bm25.K1 + 1) / (bag[word] + flat) for word in asked if word in bag)
            if score and (within is None or entry.document_id in within):
                found.append(_found(entry, score))
        best = max((one.score for one in found), default=1.0)
        return ranked([_found(one, one.score / best) for one in found], top_k)

    def _entries(self, index: Index) -> list[tuple[Entry, Bag]]:
        with self._lock:
            return list(self._kept.get(_key(index), {}).values())


def _key(index: Index) -> tuple[UUID, UUID, int]:
    return index.tenant_id, index.dataset_id, index.generation


def _found(entry: Entry | Found, score: float) -> Found:
    return Found(entry.node_id, entry.segment_id, entry.document_id, score)
