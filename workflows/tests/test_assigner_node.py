"""assigner: every operation, its order and its refusals; nothing is assigned unless all can be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.kernel.errors import InvalidParam
from workflows.engine.pool import VariablePool

from .nodes import done, file, pool_of


def item(operation: str, value: Any = None, target: str = "v", **more: Any) -> dict[str, Any]:
    origin = "variable" if isinstance(value, list) or value is None else "constant"
    row = {"variable_selector": ["conversation", target], "operation": operation, "input_type": origin, "value": value}
    return {**row, "write_mode": "over-write", **more}


async def assigned(pool: VariablePool, *items: dict[str, Any]) -> dict[tuple[str, str], Any]:
    end = await done("assigner", {"version": "2", "items": list(items)}, pool)
    assert end.outputs == {}
    return pool.take_assigned()


OTHER = ["conversation", "w"]


@pytest.mark.parametrize(
    ("kind", "old", "operation", "value", "new"),
    [
        ("string", "a", "over-write", OTHER, "b"),
        ("string", "a", "set", "c", "c"),
        ("number", 1, "set", 2, 2),
        ("boolean", True, "set", False, False),
        ("object", {}, "set", '{"a": 1}', {"a": 1}),
        ("object", {}, "set", {"a": 1}, {"a": 1}),
        ("number", 1, "+=", 2, 3),
        ("number", 1, "-=", 2.5, -1.5),
        ("number", 2, "*=", 3, 6),
        ("number", 3, "/=", 2, 1.5),
        ("array[string]", ["a"], "append", OTHER, ["a", "b"]),
        ("array[string]", None, "append", OTHER, ["b"]),
        ("array[string]", ["a", "b"], "remove-first", None, ["b"]),
        ("array[string]", ["a", "b"], "remove-last", None, ["a"]),
        ("array[string]", [], "remove-last", None, []),
        ("string", "a", "clear", None, ""),
        ("number", 5, "clear", None, 0),
        ("boolean", True, "clear", None, False),
        ("object", {"a": 1}, "clear", None, {}),
        ("array[object]", [{}], "clear", None, []),
    ],
)
async def test_an_operation_changes_the_variable(kind: str, old: Any, operation: str, value: Any, new: Any) -> None:
    pool = pool_of({"v": old, "w": "b"}, v=kind)
    assert await assigned(pool, item(operation, value)) == {("conversation", "v"): new}
    assert pool.get(["conversation", "v"]) == new


async def test_a_list_is_extended_and_the_old_one_stays_as_it_was() -> None:
    old, more = [1], [2, 3]
    pool = pool_of({"v": old, "w": more}, v="array[number]")
    await assigned(pool, item("extend", OTHER))
    assert (pool.get(["conversation", "v"]), old, more) == ([1, 2, 3], [1], [2, 3])


async def test_later_items_see_earlier_ones() -> None:
    pool = pool_of({"v": 1, "w": 0}, v="number", w="number")
    taken = await assigned(pool, item("+=", 2), item("over-write", ["conversation", "v"], "w"), item("*=", 10))
    assert taken == {("conversation", "v"): 30, ("conversation", "w"): 3}
    assert pool.take_assigned() == {}


async def test_nothing_is_assigned_when_one_item_fails() -> None:
    pool = pool_of({"v": 1}, v="number")
    with pytest.raises(InvalidParam, match="divided by zero") as refusal:
        await assigned(pool, item("+=", 2), item("/=", 0))
    assert refusal.value.params == "items.1"
    assert (pool.get(["conversation", "v"]), pool.take_assigned()) == (1, {})


async def test_a_null_source_is_passed_over() -> None:
    assert await assigned(pool_of({"v": "a", "w": None}, v="string"), item("over-write", OTHER)) == {}


async def test_variables_of_loops_and_nodes_take_assignments_too() -> None:
    pool = VariablePool({"loop": {"num": 1}, "code": {"result": "x"}, "conversation": {"v": "y"}})
    rows = [item("+=", 1, variable_selector=["loop", "num"])]
    rows += [item("over-write", ["conversation", "v"], variable_selector=["code", "result"])]
    assert await assigned(pool, *rows) == {("loop", "num"): 2, ("code", "result"): "y"}


@pytest.mark.parametrize(
    ("kind", "old", "row"),
    [
        ("string", "a", item("+=", 1)),
        ("string", "a", item("append", OTHER)),
        ("string", "a", item("set", 5)),
        ("string", "a", item("set", OTHER)),
        ("string", "a", item("over-write", "literal", input_type="variable")),
        ("string", "a", item("over-write", ["no", "such"])),
        ("string", "a", item("rename", "b")),
        ("string", "a", item("set", "b", variable_selector=["conversation", "unknown"])),
        ("string", "a", item("set", "b", variable_selector=None)),
        ("object", {"k": 1}, item("set", 2, variable_selector=["conversation", "v", "k"])),
        ("object", {}, item("set", "[1]")),
        ("object", {}, item("set", "{")),
        ("object", {}, item("set", "[" * 100_000)),
        ("number", 1, item("over-write", OTHER)),
        ("number", 1, item("+=", "1")),
        ("number", 1, item("+=", ["conversation", "v"])),
        ("number", 1e308, item("*=", 10)),
        ("number", 2**62, item("*=", 4)),
        ("number", 1, item("/=", True)),
        ("boolean", True, item("set", 1)),
        ("array[number]", [], item("append", OTHER)),
        ("array[number]", [], item("over-write", OTHER)),
        ("array[string]", [], item("append", "constant")),
        ("array[any]", [], item("append", ["conversation", "v"])),
        ("array[string]", [], item("extend", OTHER)),
        ("array[string]", [], item("set", "a")),
    ],
)
async def test_what_does_not_suit_the_variable_is_refused(kind: str, old: Any, row: dict[str, Any]) -> None:
    pool = pool_of({"v": old, "w": "b"}, v=kind)
    with pytest.raises(InvalidParam) as refusal:
        await assigned(pool, row)
    assert refusal.value.params == "items.0"
    assert pool.take_assigned() == {}


@pytest.mark.parametrize(("mode", "old", "new"), [("over-write", "a", "b"), ("append", ["a"], ["a", "b"]), ("clear", "a", "")])
async def test_the_first_version_is_one_item(mode: str, old: Any, new: Any) -> None:
    pool = pool_of({"v": old, "w": "b"})
    data = {"assigned_variable_selector": ["conversation", "v"], "input_variable_selector": OTHER, "write_mode": mode}
    await done("assigner", data, pool)
    assert pool.take_assigned() == {("conversation", "v"): new}


async def test_rows_of_an_unknown_shape_do_nothing() -> None:
    pool = pool_of({"v": "a"})
    await done("assigner", {"version": "v2", "actions": [{"x": 1}]}, pool)
    assert pool.take_assigned() == {}


_leaf = some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=3) | some.just(file())
_value = some.recursive(_leaf, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=2), inner))
_operation = some.sampled_from(
    ["over-write", "set", "append", "extend", "clear", "remove-first", "remove-last", "+=", "-=", "*=", "/="]
)
_kind = some.sampled_from(
    ["string", "secret", "number", "boolean", "object", "file", "any", "array[string]", "array[any]", "x"]
)


@given(_value, _value, _operation, _kind, some.sampled_from(["variable", "constant", None]))
async def test_anything_raises_nothing_but_the_nodes_error(
    old: Any, value: Any, name: str, kind: str, origin: str | None
) -> None:
    pool = pool_of({"v": old, "w": value}, v=kind)
    row = item(name, OTHER if origin == "variable" else value, input_type=origin)
    try:
        await assigned(pool, row)
    except InvalidParam as refusal:
        assert refusal.params == "items.0"
