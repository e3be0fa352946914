"""Fusion, one scale for several datasets, entries by segment."""

from __future__ import annotations

from uuid import UUID

from datasets.rag import search
from datasets.rag.search import Weights
from datasets.rag.stores import Found

ONE, OTHER = UUID(int=100), UUID(int=200)


def found(node: int, score: float, segment: int | None = None) -> Found:
    return Found(UUID(int=node), UUID(int=segment or node), UUID(int=9), score)


def test_an_entry_that_both_ways_found_is_one_candidate() -> None:
    made = search.gathered(ONE, [found(1, 0.9), found(2, 0.5)], [found(2, 1.0), found(3, 0.4)])
    search.weigh(made, Weights(0.5, 0.5))
    assert [(one.node_id.int, one.score) for one in made] == [(1, 0.45), (2, 0.75), (3, 0.2)]
    assert made[1].why() == {"semantic": 0.5, "semantic_rank": 2, "words": 1.0, "words_rank": 1, "score": 0.75}


def test_words_of_several_datasets_are_told_on_one_scale() -> None:
    """Each index says 1 of its own best; beside the other one's it may be poor."""
    made = [*search.gathered(ONE, (), [found(1, 1.0)]), *search.gathered(OTHER, (), [found(2, 1.0), found(3, 0.1)])]
    texts = {
        UUID(int=1): "The weather of the north", UUID(int=2): "invoice number of the invoice", UUID(int=3): "an invoice",
    }  # fmt: skip
    search.compare_words(made, "the invoice number", texts)
    worth = {one.node_id.int: one.words or 0.0 for one in made}
    assert worth[2] == 1.0 and 1.0 > worth[3] > worth[1] == 0.0
    assert {one.node_id.int: one.words_rank for one in made} == {2: 1, 3: 2, 1: None}


def test_children_come_together_under_their_segment() -> None:
    groups = search.grouped(search.gathered(ONE, [found(1, 0.9, 50), found(2, 0.8, 60), found(3, 0.7, 50)]))
    told = [(group.segment_id.int, group.score, [one.node_id.int for one in group.candidates]) for group in groups]
    assert told == [(50, 0.9, [1, 3]), (60, 0.8, [2])]


def test_more_is_looked_for_than_is_asked() -> None:
    assert (search.depth(1), search.depth(50)) == (40, 200)
    assert search.bm25("nothing", ["some text"]) == [0.0]
    assert search.bm25("x", []) == []
