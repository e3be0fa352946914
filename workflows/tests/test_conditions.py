"""Conditions: every operator, files, references in expected values, and the first case that holds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.kernel.errors import InvalidParam
from difyproj.testing.fakes import scripted
from workflows.engine.conditions import OPERATORS, Condition, Logic, judge
from workflows.engine.pool import VariablePool

from .graphs import events_of, graph, short
from .nodes import done, file, pool_of


def holds(actual: Any, operator: str, expected: Any = None, **more: Any) -> bool:
    raw = {"variable_selector": ["conversation", "v"], "comparison_operator": operator, "value": expected, **more}
    return judge([msgspec.convert(raw, Condition)], pool_of({"v": actual}), logic="and", field="f").holds


@pytest.mark.parametrize(
    ("actual", "operator", "expected", "answer"),
    [
        ("hello world", "contains", "hello", True),
        ("Hello", "contains", "hello", False),
        ("", "contains", "", False),
        (None, "not contains", "x", True),
        (["a", "b"], "contains", "a", True),
        ([1, 2], "contains", "1", False),
        ("abc", "start with", "ab", True),
        ("abc", "end with", "bc", True),
        (None, "start with", "", False),
        ("a", "is", "a", True),
        ("a", "is not", "A", True),
        (None, "is", "a", False),
        (None, "is not", "a", False),
        (True, "is", "true", True),
        (False, "is", "0", True),
        (True, "is not", False, True),
        (0, "empty", None, True),
        (False, "empty", None, True),
        ([], "not empty", None, False),
        ("a", "in", ["a", "b"], True),
        ("", "in", ["a"], False),
        ("c", "not in", ["a", "b"], True),
        (["a", "b", "c"], "all of", ["a", "b"], True),
        (["a"], "all of", ["a", "b"], False),
        ([True], "all of", [True], True),
        (3, "=", "3", True),
        (3.5, "=", "3.50", True),
        (3, "≠", "4", True),
        (None, "=", "3", False),
        (None, "≠", "3", False),
        (3, ">", "2.5", True),
        (3, "<", "3", False),
        (3, "≥", "3", True),
        (3.5, "≤", "3", False),
        (None, "null", None, True),
        ("", "not null", None, True),
        (None, "exists", None, False),
        ("", "not exists", None, False),
    ],
)
def test_an_operator_answers(actual: Any, operator: str, expected: Any, answer: bool) -> None:
    assert holds(actual, operator, expected) is answer


@pytest.mark.parametrize(
    ("actual", "operator", "expected"),
    [
        (3, "=", "3.5"),
        (3, "=", "three"),
        ("3", "=", "3"),
        ("3", ">", "2"),
        (3, ">", "two"),
        (5, "contains", "5"),
        (5, "is", "5"),
        (True, "is", "perhaps"),
        ("a", "in", "abc"),
        ("a", "all of", "a"),
        (5, "start with", "5"),
        ("a", "is empty", ""),
        ("a", "", ""),
    ],
)
def test_a_comparison_that_makes_no_sense_fails_and_names_its_place(actual: Any, operator: str, expected: Any) -> None:
    with pytest.raises(InvalidParam) as refusal:
        holds(actual, operator, expected)
    assert refusal.value.params == "f.0"


_leaves = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5) | some.just(file())
_values = some.recursive(_leaves, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=3), inner))


@given(_values, some.sampled_from(sorted(OPERATORS)), _values)
def test_operators_raise_nothing_but_the_nodes_error(actual: Any, operator: str, expected: Any) -> None:
    try:
        assert holds(actual, operator, expected) in (True, False)
    except InvalidParam as refusal:
        assert refusal.params == "f.0"


FILES = [file(type="image", extension="png", size=5), file(type="document", extension=".pdf", size=2000)]


@pytest.mark.parametrize(
    ("operator", "key", "asked", "expected", "answer"),
    [
        ("contains", "type", "in", ["image"], True),
        ("contains", "type", "not in", ["image"], False),
        ("contains", "type", "not in", ["video"], True),
        ("contains", "extension", "is", "png", True),
        ("contains", "extension", "in", ["pdf"], True),
        ("contains", "size", ">", "1999", True),
        ("contains", "size", ">", "2000", False),
        ("contains", "name", "start with", "a.", True),
        ("all of", "url", "exists", None, False),
        ("not contains", "mime_type", "contains", "text/", True),
    ],
)
def test_files_are_asked_about_their_parts(operator: str, key: str, asked: str, expected: Any, answer: bool) -> None:
    sub = {"logical_operator": "and", "conditions": [{"key": key, "comparison_operator": asked, "value": expected}]}
    assert holds(FILES, operator, "", sub_variable_condition=sub) is answer


def test_a_list_of_files_needs_a_condition_on_files() -> None:
    with pytest.raises(InvalidParam, match="list of files"):
        holds(FILES, "contains", "image")
    with pytest.raises(InvalidParam, match="no 'colour'"):
        holds(FILES, "contains", "", sub_variable_condition={"conditions": [{"key": "colour", "comparison_operator": "is"}]})


def test_a_part_of_a_file_is_a_variable() -> None:
    raw = {"variable_selector": ["conversation", "v", "name"], "comparison_operator": "is", "value": "a.txt"}
    assert judge([msgspec.convert(raw, Condition)], pool_of({"v": file()}), logic="and", field="f").holds


def test_expected_values_may_refer_to_variables() -> None:
    raw = {"variable_selector": ["conversation", "v"], "comparison_operator": "is", "value": "<{{#conversation.w#}}>"}
    assert judge([msgspec.convert(raw, Condition)], pool_of({"v": "<1>", "w": 1}), logic="and", field="f").holds


@pytest.mark.parametrize(
    ("logic", "values", "answer", "seen"), [("and", "10", False, 2), ("or", "01", True, 2), (None, "0", False, 1)]
)
def test_no_condition_is_looked_at_once_the_answer_is_known(logic: Logic | None, values: str, answer: bool, seen: int) -> None:
    rows = [Condition(("conversation", each), "is", "1") for each in [*values, "missing"]]
    verdict = judge(rows, pool_of({"0": "0", "1": "1"}), logic=logic, field="f")
    assert (verdict.holds, len(verdict.results), len(verdict.compared)) == (answer, seen, seen)


async def test_a_missing_variable_fails_the_node_in_words() -> None:
    data = {"cases": [{"case_id": "a", "conditions": [{"variable_selector": ["x", "y"], "comparison_operator": "not exists"}]}]}
    with pytest.raises(InvalidParam, match=r"^Variable x\.y not found\.$") as refusal:
        await done("if-else", data, VariablePool())
    assert refusal.value.params == "cases.0.conditions.0"


def case(name: str, expected: str) -> dict[str, Any]:
    asked = {"variable_selector": ["sys", "query"], "comparison_operator": "contains", "value": expected, "id": "?"}
    return {"case_id": name, "id": name, "logical_operator": "and", "conditions": [asked]}


@pytest.mark.parametrize(
    ("query", "handle"), [("say hello", "true"), ("say bye, hello", "true"), ("bye", "uuid"), ("HELLO", "false")]
)
async def test_the_first_case_that_holds_chooses_the_way(query: str, handle: str) -> None:
    cases = [case("true", "hello"), case("uuid", "bye")]
    names = ["true", "uuid", "false"]
    tree = graph(
        ("start", "start", {}),
        ("if", "if-else", {"cases": cases, "title": "If", "selected": False}),
        *((name, "echo", {}) for name in names),
        edges=["start -> if", *(f"if:{name} -> {name}" for name in names)],
    )
    assert short(await events_of(tree, scripted(), query=query)) == f"+start -start +if -if +{handle} -{handle} RunFinished"


async def test_the_oldest_shape_is_one_case() -> None:
    data = {**case("", "hello"), "type": "if-else"}
    del data["case_id"], data["id"]
    for query, name in [("hello", "true"), ("bye", "false")]:
        end = await done("if-else", data, VariablePool({"sys": {"query": query}}))
        assert (end.handle, end.outputs) == (name, {"result": name == "true", "selected_case_id": name})
        assert end.inputs is not None and end.inputs["conditions"][0]["actual_value"] == query
