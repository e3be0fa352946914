"""What this process holds of indexes: little, never too much, and nothing before somebody searches."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from array import array
from threading import enumerate as threads
from uuid import UUID

import pytest
from django.conf import settings

from datasets.rag.stores import Entry, Index
from datasets.stores import copies, neighbours, parts
from datasets.stores.embedded import EmbeddedStore

DIMENSIONS = 16


def index(number: int) -> Index:
    return Index(UUID(int=1), UUID(int=number), 1, DIMENSIONS)


def entries(numbers: range, seed: int = 0) -> list[Entry]:
    chance = random.Random(seed)
    return [
        Entry(UUID(int=number), UUID(int=number), UUID(int=number % 7), f"word{number % 5}", direction(chance))
        for number in numbers
    ]


def direction(chance: random.Random) -> bytes:
    numbers = [chance.gauss(0, 1) for _ in range(DIMENSIONS)]
    length = sum(number * number for number in numbers) ** 0.5
    return array("f", [number / length for number in numbers]).tobytes()


def test_the_least_used_indexes_are_given_up(house_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    held, store, asked = copies.Copies(), EmbeddedStore(), direction(random.Random(1))
    monkeypatch.setattr("datasets.stores.searched.copies", held)
    for number in range(1, 4):
        store.put(index(number), entries(range(200)))
        store.nearest(index(number), asked, top_k=1)
    whole = held.bytes
    monkeypatch.setattr(settings, "KNOWLEDGE_CACHE_MB", whole * 0.7 / 1024 / 1024)
    store.nearest(index(1), asked, top_k=1)
    assert whole / 2 < held.bytes < whole * 0.7
    assert len(store.nearest(index(2), asked, top_k=500)) == 200


def test_a_copy_follows_many_small_writes_with_few_parts_in_files(house_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAPPED_BYTES", 1000)
    held, store, asked = copies.Copies(), EmbeddedStore(), direction(random.Random(1))
    monkeypatch.setattr("datasets.stores.searched.copies", held)
    for number in range(0, 200, 5):
        store.put(index(1), entries(range(number, number + 5), number))
        if number % 3 == 0:
            store.remove(index(1), nodes=[UUID(int=number // 2)])
        left = store.count(index(1))
        assert len(store.nearest(index(1), asked, top_k=500)) == left
        assert len(store.matching(index(1), "word0 word1 word2 word3 word4", top_k=500)) == left
    (copy,) = held._kept.values()
    assert len(copy.parts) < 8


def test_large_parts_are_searched_by_their_graph_in_the_end(house_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss")
    monkeypatch.setattr(neighbours, "FROM_ROWS", 300)
    held, store = copies.Copies(), EmbeddedStore()
    monkeypatch.setattr("datasets.stores.searched.copies", held)
    store.put(index(1), entries(range(400)))
    store.put(index(1), entries(range(400, 410), 5))
    store.remove(index(1), documents=[UUID(int=3)])
    chance = random.Random(2)
    questions = [direction(chance) for _ in range(10)]
    within = [None, [UUID(int=number) for number in range(6)], [UUID(int=2)]]

    def answers() -> list[list[UUID]]:
        return [
            [one.node_id for one in store.nearest(index(1), asked, top_k=10, within=some)]
            for asked in questions
            for some in within
        ]

    right = answers()
    for thread in threads():
        if thread.name == "neighbours":
            thread.join(30)
    assert any(part.graph.bytes for copy in held._kept.values() for part in copy.parts)
    ours = answers()
    same = sum(len(set(one) & set(other)) for one, other in zip(ours, right, strict=True))
    assert same >= 0.95 * sum(len(one) for one in right)
    again = neighbours.Graph()
    part = next(part for copy in held._kept.values() for part in copy.parts if part.graph.bytes)
    began = time.monotonic()
    again._make(part.ids, part.vectors)
    assert again.bytes and time.monotonic() - began < 5


IDLE = """
import sys
{argv}
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "difyproj.settings.test"
import {room}
from django.apps import apps
from datasets.stores import store_named
store_named("embedded")
assert "numpy" not in sys.modules and "faiss" not in sys.modules, "loaded too early"
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmRSS")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Reads /proc.")
def test_a_web_process_and_a_worker_that_idle_are_small() -> None:
    rooms = [("", "difyproj.asgi"), ("sys.argv[1:] = ['work']", "django; django.setup(); import datasets.tasks, apps.tasks")]
    sizes = []
    for argv, room in rooms:
        done = subprocess.run(
            [sys.executable, "-c", IDLE.format(argv=argv, room=room)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        sizes.append(int(done.stdout.split()[-1]) / 1024)
    assert sum(sizes) < 250, sizes
