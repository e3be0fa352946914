"""JSON is found in whatever models write, and checked, in bounded time."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.kernel import jsonio
from workflows.engine import json_schema, json_text


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<think>a</think> b <think>c</think>d", "b d"),
        ("b <think>never ends {", "b"),
        ("no beginning</think>b", "b"),
        ("plain", "plain"),
        ("<think>\n</think>", ""),
    ],
)
def test_thoughts_are_left_out(text: str, plain: str) -> None:
    assert json_text.without_thoughts(text) == plain


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('a {b} {"c": 1} {"d": 2}', {"c": 1}),
        ('{"a": "}{", "b": {"c": "\\""}} tail }', {"a": "}{", "b": {"c": '"'}}),
        ("{'a': True, b: [1, 2", {"a": True, "b": [1, 2]}),
        ("} nothing {", None),
        ("[1, 2]", None),
        ("", None),
    ],
)
def test_the_first_object_is_found(text: str, found: Any) -> None:
    assert json_text.first_object(text) == found


_VALUES = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(
    some.dictionaries(some.text(max_size=4), _VALUES, max_size=4),
    some.text(some.characters(blacklist_characters="{}"), max_size=9),
)
def test_a_sound_object_is_found_as_it_is_behind_any_prose(value: dict[str, Any], prose: str) -> None:
    assert json_text.first_object(prose + jsonio.dumps_text(value) + prose) == value


@given(some.text(some.sampled_from('{}[]":,\\a1 '), max_size=60))
def test_no_text_breaks_the_search(text: str) -> None:
    found = json_text.first_object(text)
    assert found is None or isinstance(found, dict)


@pytest.mark.parametrize("piece", ["{", '{"', '{"a":', "{a,", "[{", "<think>", '{"a": "', "{}", '\\"'])
def test_texts_made_to_take_long_do_not(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    began = time.process_time()
    json_text.value(text)
    assert time.process_time() - began < 10


def test_patterns_cannot_run_away_and_depth_is_no_crash() -> None:
    schema = {"type": "string", "pattern": "^(?=(a+)+$)(a+)+$"}
    began = time.process_time()
    assert json_schema.fault(schema, "a" * 40 + "b")
    assert time.process_time() - began < 10
    deep: Any = 1
    for _ in range(3000):
        deep = [deep]
    assert json_schema.fault({"type": "object"}, deep)
