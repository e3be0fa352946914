"""Every store answers alike: one suite over all rows of the table, with the store in memory as the measure."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from math import sqrt
from uuid import UUID, uuid5

import pytest
from django.db import connection, transaction

from datasets.rag.stores import Entry, Found, Index, Store
from datasets.stores import STORES, store_named
from datasets.stores.memory import MemoryStore
from datasets.tests.store_servers import serving
from difyproj.kernel.errors import InvalidParam

DIMENSIONS = 8
NAMESPACE = UUID(int=7)


def key(*names: object) -> UUID:
    return uuid5(NAMESPACE, " ".join(map(str, names)))


TENANT, OTHER_TENANT = key("tenant"), key("other tenant")
INDEX = Index(TENANT, key("dataset"), 1, DIMENSIONS)
ELSEWHERE = [
    Index(TENANT, key("dataset"), 2, DIMENSIONS),
    Index(TENANT, key("other dataset"), 1, DIMENSIONS),
    Index(OTHER_TENANT, key("dataset"), 1, DIMENSIONS),
]


def vector(*numbers: float) -> bytes:
    """Of length one, its further numbers 0."""
    length = sqrt(sum(number * number for number in numbers))
    return array("f", [number / length for number in numbers] + [0.0] * (DIMENSIONS - len(numbers))).tobytes()


def entry(name: object, text: str = "", at: bytes | None = None, *, document: object = "a") -> Entry:
    return Entry(key("node", name), key("segment", name), key("document", document), text, at)


def found(results: object) -> list[tuple[UUID, float]]:
    assert isinstance(results, list)
    return [(one.node_id, round(one.score, 5)) for one in results]


def nodes(results: object) -> list[UUID]:
    return [node for node, _ in found(results)]


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, house_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with serving(request.param, request, monkeypatch) as ready:
        yield ready


def test_the_nearest_come_first_with_their_cosines(store: Store) -> None:
    near, far, behind = entry("near", at=vector(3, 4)), entry("far", at=vector(0, 1)), entry("behind", at=vector(-1))
    store.put(INDEX, [far, behind, near])
    assert found(store.nearest(INDEX, vector(1), top_k=9)) == [
        (near.node_id, 0.6),
        *sorted([(far.node_id, 0.0), (behind.node_id, 0.0)]),
    ]
    assert store.nearest(INDEX, vector(1), top_k=1) == [Found(near.node_id, near.segment_id, near.document_id, 0.6)]
    assert store.count(INDEX) == 3


def test_words_are_found_best_first_and_the_best_has_one(store: Store) -> None:
    both = entry("both", "The invoice of March, an invoice indeed")
    once = entry("once", "an invoice among many other papers of that year and the years before")
    store.put(INDEX, [entry("none", "nothing of the kind"), once, both, entry("wordless", at=vector(1))])
    results = store.matching(INDEX, "the Invoice?", top_k=9)
    assert nodes(results) == [both.node_id, once.node_id]
    assert results[0].score == 1.0 > results[1].score > 0.3
    assert store.matching(INDEX, "receipt", top_k=9) == []
    assert store.matching(INDEX, "?!", top_k=9) == []
    assert nodes(store.matching(INDEX, "of the", top_k=1)) != []


@pytest.mark.parametrize("asked", ["发票", "請求書", "返金", "환불", "ใบเสร็จ"])
def test_words_of_two_characters_are_found_where_no_spaces_part_them(store: Store, asked: str) -> None:
    right = entry("right", f"问题{asked}怎么办")
    store.put(INDEX, [right, entry("other", "今天天气很好")])
    assert nodes(store.matching(INDEX, asked, top_k=5)) == [right.node_id]


def test_what_is_put_again_is_replaced(store: Store) -> None:
    old = entry("one", "old words", vector(1))
    store.put(INDEX, [old, entry("two", "old friends", vector(1, 1))])
    new = entry("one", "new words", vector(0, 1), document="b")
    for _ in range(2):
        store.put(INDEX, [new, new])
        assert nodes(store.matching(INDEX, "old", top_k=5)) == [key("node", "two")]
        assert nodes(store.matching(INDEX, "new", top_k=5)) == [old.node_id]
        assert nodes(store.nearest(INDEX, vector(1), top_k=5)) == [key("node", "two"), old.node_id]
        assert nodes(store.nearest(INDEX, vector(1), top_k=5, within=[new.document_id])) == [old.node_id]
        assert store.count(INDEX) == 2


def test_entries_are_removed_by_their_ids_and_by_their_documents(store: Store) -> None:
    entries = [entry(number, f"word{number} same", vector(1, number), document=number % 3) for number in range(9)]
    store.put(INDEX, entries)
    store.remove(INDEX, nodes=[entries[0].node_id, key("unknown")], documents=[key("document", 1), key("document", "unknown")])
    left = [one.node_id for one in entries if one.document_id != key("document", 1) and one is not entries[0]]
    assert sorted(nodes(store.matching(INDEX, "same", top_k=20))) == sorted(left)
    assert sorted(nodes(store.nearest(INDEX, vector(1), top_k=20))) == sorted(left)
    assert store.count(INDEX) == len(left) == 5
    store.remove(INDEX, nodes=[entries[0].node_id])
    store.remove(ELSEWHERE[1], nodes=[entries[2].node_id])
    assert store.count(INDEX) == 5


def test_a_dropped_index_is_empty_and_may_begin_anew(store: Store) -> None:
    for _ in range(2):
        store.put(INDEX, [entry("one", "some words", vector(1))])
        assert store.count(INDEX) == len(store.nearest(INDEX, vector(1), top_k=3)) == 1
        store.drop(INDEX)
        store.drop(INDEX)
        assert store.count(INDEX) == 0
        assert not store.nearest(INDEX, vector(1), top_k=3) and not store.matching(INDEX, "words", top_k=3)


def test_tenants_datasets_and_generations_never_mix(store: Store) -> None:
    places = [INDEX, *ELSEWHERE]
    for number, place in enumerate(places):
        store.put(place, [entry("same", f"shared own{number}", vector(1))])
    store.remove(places[0], nodes=[key("node", "same")])
    store.drop(places[3])
    assert [store.count(place) for place in places] == [0, 1, 1, 0]
    for number, place in enumerate(places):
        assert len(store.nearest(place, vector(1), top_k=9)) == store.count(place)
        assert len(store.matching(place, "shared", top_k=9)) == store.count(place)
        assert len(store.matching(place, f"own{number}", top_k=9)) == store.count(place)


def test_only_the_given_documents_are_searched(store: Store) -> None:
    entries = [entry(number, "alike", vector(1, number), document=number % 10) for number in range(60)]
    store.put(INDEX, entries)
    within = [key("document", 7), key("document", 8), key("document", "unknown")]
    right = [one.node_id for one in entries if one.document_id in within]
    assert nodes(store.nearest(INDEX, vector(1), top_k=4, within=within)) == right[:4]
    assert nodes(store.matching(INDEX, "alike", top_k=60, within=within)) == sorted(right)
    assert not store.nearest(INDEX, vector(1), top_k=4, within=[]) and not store.matching(INDEX, "alike", top_k=4, within=[])


def test_equal_entries_stand_in_the_order_of_their_ids(store: Store) -> None:
    entries = [entry(number, "just the same", vector(1, 2, 3)) for number in range(30)]
    store.put(INDEX, entries)
    right = sorted(one.node_id for one in entries)[:7]
    assert nodes(store.nearest(INDEX, vector(3, 2, 1), top_k=7)) == right
    assert nodes(store.matching(INDEX, "same", top_k=7)) == right


def test_vectors_of_another_length_are_refused(store: Store) -> None:
    short = array("f", [1.0] * (DIMENSIONS - 1)).tobytes()
    with pytest.raises(InvalidParam, match="of 8 numbers, not of 7"):
        store.put(INDEX, [entry("right", at=vector(1)), entry("wrong", at=short)])
    with pytest.raises(InvalidParam):
        store.nearest(INDEX, short, top_k=1)
    with pytest.raises(InvalidParam):
        store.put(Index(TENANT, key("dataset"), 1), [entry("right", at=vector(1))])
    assert store.count(INDEX) == 0


def test_an_empty_index_answers_with_nothing(store: Store) -> None:
    assert not store.nearest(INDEX, vector(1), top_k=3) and not store.matching(INDEX, "words", top_k=3)
    store.put(INDEX, [])
    store.remove(INDEX, nodes=[key("node")], documents=[key("document")])
    store.put(INDEX, [entry("one", "some words", vector(1))])
    assert not store.nearest(INDEX, vector(1), top_k=0) and not store.matching(INDEX, "words", top_k=0)


def test_words_alone_make_an_index_without_dimensions(store: Store) -> None:
    economy = Index(TENANT, key("dataset"), 1)
    store.put(economy, [entry("one", "some words"), entry("two", "other words")])
    store.remove(economy, nodes=[key("node", "two")])
    assert nodes(store.matching(economy, "words", top_k=3)) == [key("node", "one")]


def test_all_stores_answer_alike_whatever_is_written(store: Store) -> None:
    measure, chance = MemoryStore(), random.Random(5)
    words = [f"word{number}" for number in range(40)] + ["发票", "号码", "返金"]
    for step in range(6):
        entries = [
            entry(
                chance.randrange(150),
                " ".join(chance.choices(words, k=chance.randrange(0, 30))),
                vector(*(chance.gauss(0, 1) for _ in range(DIMENSIONS))) if chance.random() > 0.1 else None,
                document=chance.randrange(12),
            )
            for _ in range(60)
        ]
        gone = [key("node", chance.randrange(150)) for _ in range(20)]
        papers = [key("document", chance.randrange(12))] if step % 2 else []
        for one in (measure, store):
            one.put(INDEX, entries)
            one.remove(INDEX, nodes=gone, documents=papers)
        assert store.count(INDEX) == measure.count(INDEX)
        for _ in range(5):
            near = vector(*(chance.gauss(0, 1) for _ in range(DIMENSIONS)))
            text = " ".join(chance.choices(words, k=3))
            within = chance.choice([None, [key("document", number) for number in chance.sample(range(12), 4)]])
            assert _same(
                store.nearest(INDEX, near, top_k=10, within=within), measure.nearest(INDEX, near, top_k=10, within=within)
            )
            assert _same(
                store.matching(INDEX, text, top_k=10, within=within), measure.matching(INDEX, text, top_k=10, within=within)
            )


def test_writers_at_the_same_time_lose_nothing(store: Store) -> None:
    def write(number: int) -> None:
        own = [entry(f"{number} {at}", f"from{number} shared", vector(1, number, at), document=number) for at in range(10)]
        try:
            store.put(INDEX, own[:5])
            store.put(INDEX, [*own[5:], entry("fought over", f"by{number}", vector(1), document=number)])
            store.remove(INDEX, nodes=[own[0].node_id])
            assert len(store.matching(INDEX, f"from{number}", top_k=99)) == 9
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(8)))
    assert store.count(INDEX) == 8 * 9 + 1
    assert len(store.matching(INDEX, "shared", top_k=99)) == 8 * 9
    assert len(store.nearest(INDEX, vector(1), top_k=99)) == 8 * 9 + 1


@pytest.mark.parametrize("name", ["embedded", "pgvector", "qdrant"])
def test_what_a_transaction_takes_back_was_never_there(
    name: str, request: pytest.FixtureRequest, house_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(name, request, monkeypatch) as store:
        store.put(INDEX, [entry("kept", "kept words", vector(1))])
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            store.put(INDEX, [entry("gone", "gone words", vector(1))])
            assert len(store.nearest(INDEX, vector(1), top_k=9)) == 2
            assert len(store.matching(INDEX, "words", top_k=9)) == 2
            raise ZeroDivisionError
        assert store.count(INDEX) == 1
        store.put(INDEX, [entry("later", "later words", vector(1))])
        assert set(nodes(store.nearest(INDEX, vector(1), top_k=9))) == {key("node", "kept"), key("node", "later")}
        assert set(nodes(store.matching(INDEX, "words", top_k=9))) == {key("node", "kept"), key("node", "later")}


def test_a_store_is_made_once_and_its_row_says_its_name() -> None:
    for name in STORES:
        assert STORES.get(name).name == name
        assert store_named(name) is store_named(name)


def _same(ours: object, right: object) -> bool:
    """Equal but for what the last digits of a sum do to entries that are all but equal."""
    assert isinstance(ours, list) and isinstance(right, list)
    assert [one.score for one in ours] == pytest.approx([one.score for one in right], abs=1e-5)
    scores = {one.node_id: one.score for one in right}
    last = right[-1].score if right else 0.0
    for one in ours:
        assert one.score == pytest.approx(scores.get(one.node_id, last), abs=1e-5)
    return True
