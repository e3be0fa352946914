"""Metadata conditions, one by one and together."""

from __future__ import annotations

from typing import Any

import pytest

from datasets.rag import filters
from datasets.services import retrieval_settings
from difyproj.kernel.errors import InvalidParam

FACTS = {"author": "Ada Lovelace", "year": 1843, "sold": 1_700_000_000, "gone": None, "tags": "", "price": "12.50"}


def holds(name: str, operator: str, value: Any = None) -> bool:
    wanted = filters.parse({"conditions": [{"name": name, "comparison_operator": operator, "value": value}]})
    assert wanted is not None
    return wanted.holds(FACTS)


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("author", "contains", "Love", True), ("author", "contains", ["Eve", "Ada"], True),
        ("author", "contains", "love", False),
        ("author", "not contains", "Eve", True), ("author", "not contains", "Ada", False),
        ("author", "start with", "Ada", True), ("author", "end with", "lace", True), ("author", "end with", "Ada", False),
        ("author", "is", "Ada Lovelace", True), ("author", "is not", "Ada", True), ("year", "is", "1843", True),
        ("author", "in", "Eve, Ada Lovelace", True), ("author", "in", ["Eve"], False), ("author", "not in", ["Eve"], True),
        ("year", "=", 1843.0, True), ("year", "≠", 1843, False), ("year", ">", "1800", True), ("year", "<", 1800, False),
        ("year", "≥", 1843, True), ("year", "≤", 1842, False), ("price", ">", 12, True), ("price", "=", 12.5, True),
        ("sold", "after", "2023-01-01", True), ("sold", "before", "2023-01-01T00:00:00Z", False),
        ("sold", "before", 1_800_000_000, True),
        ("gone", "empty", None, True), ("tags", "empty", None, True), ("nothing", "empty", None, True),
        ("author", "empty", None, False), ("author", "not empty", None, True), ("nothing", "not empty", None, False),
        ("nothing", "is not", "x", False), ("nothing", "not contains", "x", False), ("author", ">", 1, False),
    ],
)  # fmt: skip
def test_an_operator_says(name: str, operator: str, value: Any, expected: bool) -> None:
    assert holds(name, operator, value) is expected


def test_every_operator_of_the_contract_is_known() -> None:
    told = "contains,not contains,start with,end with,is,is not,empty,not empty,in,not in,=,≠,>,<,≥,≤,before,after"
    assert list(filters.OPERATORS) == told.split(",")


def test_conditions_are_joined_by_and_or_by_or() -> None:
    rows = [
        {"name": "year", "comparison_operator": "=", "value": 1843},
        {"name": "author", "comparison_operator": "is", "value": "Eve"},
    ]
    both = filters.parse({"logical_operator": "and", "conditions": rows})
    either = filters.parse({"logical_operator": "or", "conditions": rows})
    assert both is not None and either is not None
    assert (both.holds(FACTS), either.holds(FACTS)) == (False, True)
    assert both.names == {"year", "author"}


def test_what_compares_with_nothing_says_nothing() -> None:
    blank = {"conditions": [{"name": "year", "comparison_operator": "=", "value": ""}]}
    assert filters.parse(None) is filters.parse({}) is filters.parse({"conditions": None}) is filters.parse(blank) is None


@pytest.mark.parametrize(
    "raw",
    [
        [1], {"conditions": "x"}, {"conditions": [1]}, {"conditions": [{"name": "", "comparison_operator": "is"}]},
        {"conditions": [{"name": "a", "comparison_operator": "like", "value": 1}]},
        {"conditions": [{"name": "a", "comparison_operator": ["is"], "value": 1}]},
        {"logical_operator": "xor", "conditions": [{"name": "a", "comparison_operator": "is", "value": 1}]},
        {"conditions": [{"name": "a", "comparison_operator": "empty"}] * 101},
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused(raw: Any) -> None:
    with pytest.raises(InvalidParam):
        filters.parse(raw)


def test_a_number_beyond_every_float_is_refused_and_meets_nothing() -> None:
    assert not any(holds("year", operator, 10**400) for operator in ("<", "is", "in"))
    for field in ("top_k", "score_threshold"):
        with pytest.raises(InvalidParam):
            retrieval_settings.parse({field: 10**400})
