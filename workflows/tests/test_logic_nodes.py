"""variable-aggregator, end and list-operator: what they pass on, and how they fail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.registry import UnknownEntry
from workflows.engine.conditions import OPERATORS
from workflows.engine.pool import VariablePool
from workflows.nodes import NODES
from workflows.nodes.list_operator import ListOperatorNode

from .nodes import done, file, pool_of

V = ["conversation", "v"]


@pytest.mark.parametrize("kind", ["variable-aggregator", "variable-assigner"])
async def test_the_first_variable_that_exists_is_passed_on_even_if_it_is_null(kind: str) -> None:
    pool = VariablePool({"b": {"text": None}, "c": {"text": "late"}})
    data = {"output_type": "string", "variables": [["a", "text"], ["b", "text"], ["c", "text"]], "advanced_settings": None}
    assert (await done(kind, data, pool)).outputs == {"output": None}
    assert (await done(kind, {"variables": [["a", "text"], []]}, pool)).outputs == {}


async def test_groups_have_an_output_each_which_selectors_reach() -> None:
    groups = [
        {"groupId": "1", "group_name": "one", "output_type": "string", "variables": [["a", "x"], ["b", "text"]]},
        {"groupId": "2", "group_name": "two", "output_type": "string", "variables": [["a", "x"]]},
    ]
    pool = VariablePool({"b": {"text": "B"}})
    end = await done("variable-aggregator", {"advanced_settings": {"group_enabled": True, "groups": groups}}, pool)
    assert end.outputs == {"one": {"output": "B"}}
    pool.add("n", end.outputs)
    assert pool.get(["n", "one", "output"]) == "B"


def test_the_old_name_is_not_a_type_of_its_own() -> None:
    assert "variable-assigner" in NODES and "variable-assigner" not in list(NODES)
    with pytest.raises(UnknownEntry):
        NODES.get("variable")


async def test_the_end_gives_null_for_what_does_not_exist() -> None:
    outputs = [
        {"variable": "a", "value_selector": V, "value_type": "Array[String]"},
        {"variable": "b", "value_selector": ["x", "y"]},
    ]
    outputs += [{"variable": "c", "value_selector": []}]
    assert (await done("end", {"outputs": outputs}, pool_of({"v": ["1"]}))).outputs == {"a": ["1"], "b": None, "c": None}
    assert (await done("end", {}, VariablePool())).outputs == {}


def asked(operator: str, value: Any, key: str = "") -> dict[str, Any]:
    return {"enabled": True, "conditions": [{"key": key, "comparison_operator": operator, "value": value}]}


async def listed(items: Any, **data: Any) -> list[Any]:
    end = await done("list-operator", {"variable": V, **data}, pool_of({"v": items, "w": "b", "two": 2}))
    result = list(end.outputs["result"])
    first, last = (result[0], result[-1]) if result else (None, None)
    assert (end.outputs["first_record"], end.outputs["last_record"]) == (first, last)
    return result


@pytest.mark.parametrize(
    ("items", "operator", "value", "kept"),
    [
        (["ab", "bc", ""], "contains", "{{#conversation.w#}}", ["ab", "bc"]),
        (["ab", "bc", ""], "not contains", "b", [""]),
        (["ab", ""], "contains", "", ["ab", ""]),
        (["ab", "bc"], "start with", "a", ["ab"]),
        (["ab", "bc"], "end with", "c", ["bc"]),
        (["ab", "bc"], "is", "ab", ["ab"]),
        (["ab", "bc"], "is not", "ab", ["bc"]),
        (["ab", "x"], "in", "abc", ["ab"]),
        (["ab", "x"], "not in", "abc", ["x"]),
        (["ab", ""], "empty", "", [""]),
        (["ab", ""], "not empty", "", ["ab"]),
        ([1, 2, 3.5], "≥", "2", [2, 3.5]),
        ([3, 3.5], "=", "3.5", [3.5]),
        ([1, 2], "<", "{{#conversation.two#}}", [1]),
        ([True, False], "is", False, [False]),
    ],
)
async def test_items_are_filtered_by_their_type(items: list[Any], operator: str, value: Any, kept: list[Any]) -> None:
    assert await listed(items, filter_by=asked(operator, value)) == kept


FILES = [file(type="image", filename="b.png", size=5), file(filename="a.pdf", size=2000), file(filename="c.pdf", size=None)]


@pytest.mark.parametrize(
    ("key", "operator", "value", "names"),
    [
        ("type", "in", ["image"], ["b.png"]),
        ("type", "not in", ["image"], ["a.pdf", "c.pdf"]),
        ("transfer_method", "in", ["local_file"], ["b.png", "a.pdf", "c.pdf"]),
        ("size", "<", "6", ["b.png", "c.pdf"]),
        ("name", "end with", ".pdf", ["a.pdf", "c.pdf"]),
        ("url", "empty", "", ["b.png", "a.pdf", "c.pdf"]),
    ],
)
async def test_files_are_filtered_by_their_parts(key: str, operator: str, value: Any, names: list[str]) -> None:
    assert [each["filename"] for each in await listed(FILES, filter_by=asked(operator, value, key))] == names


async def test_filter_extract_order_and_limit_come_in_this_order() -> None:
    numbers = [5, 3, 9, 1]
    order, limit = {"enabled": True, "key": "", "value": "desc"}, {"enabled": True, "size": 2}
    assert await listed(numbers, order_by=order, limit=limit) == [9, 5]
    assert await listed(numbers, filter_by=asked(">", "1"), order_by=order, limit=limit) == [9, 5]
    assert await listed(numbers, extract_by={"enabled": True, "serial": "{{#conversation.two#}}"}, order_by=order) == [3]
    assert (
        await listed(numbers, order_by={"enabled": False, "key": "", "value": "asc"}, limit={"enabled": False, "size": 1})
        == numbers
    )
    by_name = {"enabled": True, "key": "name", "value": "asc"}
    assert [each["filename"] for each in await listed(FILES, order_by=by_name)] == ["a.pdf", "b.png", "c.pdf"]


@pytest.mark.parametrize("items", [[], None, ""])
async def test_nothing_in_gives_nothing_out(items: Any) -> None:
    assert await listed(items, extract_by={"enabled": True, "serial": "3"}) == []


@pytest.mark.parametrize(
    ("items", "data", "field"),
    [
        ("text", {}, "variable"),
        ([{"a": 1}], {}, "variable"),
        (["a", 1], {}, "variable"),
        (["a"], {"variable": ["x", "y"]}, "variable"),
        (["a"], {"filter_by": asked(">", "1")}, "filter_by"),
        (["a"], {"filter_by": asked("is", ["a"])}, "filter_by"),
        ([1], {"filter_by": asked("=", "one")}, "filter_by"),
        ([True], {"filter_by": asked("is", "true")}, "filter_by"),
        (FILES, {"filter_by": asked("is", "x", "colour")}, "filter_by"),
        (FILES, {"filter_by": asked("is", "x", "type")}, "filter_by"),
        (FILES, {"order_by": {"enabled": True, "key": "", "value": "asc"}}, "order_by"),
        (["a"], {"extract_by": {"enabled": True, "serial": "0"}}, "extract_by"),
        (["a"], {"extract_by": {"enabled": True, "serial": "2"}}, "extract_by"),
        (["a"], {"extract_by": {"enabled": True, "serial": "one"}}, "extract_by"),
    ],
)
async def test_what_cannot_be_done_names_its_field(items: Any, data: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParam) as refusal:
        await listed(items, **data)
    assert refusal.value.params == field


_item = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=3)
_items = some.lists(_item, max_size=3) | some.lists(some.just(file()), max_size=2) | _item


@given(_items, some.sampled_from(sorted(OPERATORS)), _items, some.sampled_from(["", "type", "size", "name"]), some.booleans())
async def test_lists_of_anything_raise_nothing_but_the_nodes_error(
    items: Any, name: str, value: Any, key: str, on: bool
) -> None:
    order, serial = {"enabled": on, "key": key, "value": "desc"}, {"enabled": on, "serial": str(value)}
    try:
        await listed(items, filter_by=asked(name, value, key), order_by=order, extract_by=serial)
    except InvalidParam as refusal:
        assert refusal.params in ListOperatorNode.schema.__struct_fields__
