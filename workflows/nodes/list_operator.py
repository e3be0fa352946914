"""list-operator: filters, picks from, orders and shortens a list of texts, numbers, booleans or files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from difyproj.kernel.errors import InvalidParam
from workflows.engine.conditions import compare, number, rendered
from workflows.engine.kinds import element_of, kind_of
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import MISSING, VariablePool
from workflows.engine.values import FILE_PARTS, file_part, is_list

_ON_TEXTS: Final = frozenset(
    {"contains", "not contains", "start with", "end with", "is", "is not", "in", "not in", "empty", "not empty"}
)
_ON_NUMBERS: Final = frozenset({"=", "≠", "<", ">", "≤", "≥"})
_OPERATORS: Final[Mapping[str, frozenset[str]]] = {
    "string": _ON_TEXTS,
    "number": _ON_NUMBERS,
    "boolean": frozenset({"is", "is not"}),
    "choice": frozenset({"in", "not in"}),
}
_CHOICES: Final = frozenset({"type", "transfer_method"})


class FilterCondition(msgspec.Struct, frozen=True):
    """``key`` names a part of a file; other items are compared themselves."""

    key: str | None = ""
    comparison_operator: str = ""
    value: Any = None


class FilterBy(msgspec.Struct, frozen=True):
    enabled: bool = False
    conditions: list[FilterCondition] = []


class ExtractBy(msgspec.Struct, frozen=True):
    enabled: bool = False
    serial: str | int | None = "1"


class OrderBy(msgspec.Struct, frozen=True):
    enabled: bool = False
    key: str | None = ""
    value: Literal["asc", "desc"] | None = "asc"


class Limit(msgspec.Struct, frozen=True):
    enabled: bool = False
    size: int | None = None


class ListOperatorData(msgspec.Struct, frozen=True):
    variable: tuple[str, ...] | None = ()
    filter_by: FilterBy | None = None
    extract_by: ExtractBy | None = None
    order_by: OrderBy | None = None
    limit: Limit | None = None


class ListOperatorNode(Node[ListOperatorData]):
    schema = ListOperatorData

    async def run(self, ctx: NodeContext[ListOperatorData]) -> NodeStream:
        given = _list(ctx)
        items = given
        # An empty list stays one: there is nothing to refuse to extract from.
        for field, step in (
            (("filter_by", _filter), ("extract_by", _extract), ("order_by", _order), ("limit", _limit)) if given else ()
        ):
            try:
                items = step(items, ctx.data, ctx.pool)
            except (ValueError, OverflowError) as error:
                raise InvalidParam(f"{error}", params=field) from error
        yield Done(
            outputs={
                "result": items,
                "first_record": items[0] if items else None,
                "last_record": items[-1] if items else None,
            },
            inputs={"variable": given},
            process_data={"variable": given},
        )


def _list(ctx: NodeContext[ListOperatorData]) -> list[Any]:
    selector = ctx.data.variable or ()
    value = ctx.pool.get(selector, MISSING)
    if value is MISSING:
        raise InvalidParam(f"Variable {'.'.join(selector)} not found.", params="variable")
    if not value:
        return []
    if not is_list(value) or _item_kind(value) not in ("string", "number", "boolean", "file"):
        told = f"Variable {'.'.join(selector)} must be a list of texts, numbers, booleans or files, not {kind_of(value)}."
        raise InvalidParam(told, params="variable")
    return list(value)


def _item_kind(items: Sequence[Any]) -> str:
    return element_of(kind_of(items))


def _filter(items: list[Any], data: ListOperatorData, pool: VariablePool) -> list[Any]:
    if data.filter_by is None or not data.filter_by.enabled:
        return items
    for condition in data.filter_by.conditions:
        if items:
            items = _kept(items, condition, pool)
    return items


def _kept(items: list[Any], condition: FilterCondition, pool: VariablePool) -> list[Any]:
    kind, name, key = _item_kind(items), condition.comparison_operator, condition.key or ""
    expected = rendered(condition.value, pool)
    if kind == "file":
        kind = _part_kind(key)
    if name not in _OPERATORS[kind]:
        raise ValueError(f"The comparison operator {name!r} does not suit items of the type {kind}.")
    if kind == "number":
        expected = float(number(expected))
    elif kind == "boolean" and not isinstance(expected, bool):
        raise ValueError("Booleans are compared with true or false.")
    elif kind == "string" and not isinstance(expected, str) and name not in ("empty", "not empty"):
        raise ValueError("Texts are compared with a text.")
    elif kind == "choice" and not isinstance(expected, str) and not is_list(expected):
        raise ValueError(f"The {key} of a file is looked for in a list.")
    return [item for item in items if _matches(_key(item, key), name, expected)]


def _matches(actual: Any, name: str, expected: Any) -> bool:
    if name in ("in", "not in"):
        found: bool = actual in expected
        return found == (name == "in")
    if name in ("contains", "not contains", "start with", "end with") and not actual:
        # An empty text is a text here: it contains, starts and ends with the empty one only.
        is_empty: bool = expected == ""
        return is_empty == (name != "not contains")
    return compare(float(actual) if name in _ON_NUMBERS else actual, name, expected)


def _part_kind(key: str) -> str:
    if key not in FILE_PARTS:
        raise ValueError(f"A file has no {key!r}.")
    if key in _CHOICES:
        return "choice"
    return "number" if key == "size" else "string"


def _key(item: Any, key: str) -> Any:
    """What is compared of an item: the item, or a part of a file; parts that a file lacks are empty."""
    if not isinstance(item, Mapping):
        return item
    value = file_part(item, key)
    if key == "size":
        return value if isinstance(value, int | float) else -1
    return "" if value is None else str(value)


def _extract(items: list[Any], data: ListOperatorData, pool: VariablePool) -> list[Any]:
    if data.extract_by is None or not data.extract_by.enabled:
        return items
    try:
        serial = int(rendered(str(data.extract_by.serial), pool))
    except ValueError:
        raise ValueError("The serial of the item to extract is not a whole number.") from None
    if not 1 <= serial <= len(items):
        raise ValueError(f"There is no item {serial} in a list of {len(items)}.")
    return [items[serial - 1]]


def _order(items: list[Any], data: ListOperatorData, _: VariablePool) -> list[Any]:
    order = data.order_by
    if order is None or not order.enabled or not items:
        return items
    key = order.key or ""
    if _item_kind(items) == "file":
        _part_kind(key)
    return sorted(items, key=lambda item: _key(item, key), reverse=order.value == "desc")


def _limit(items: list[Any], data: ListOperatorData, _: VariablePool) -> list[Any]:
    limit = data.limit
    if limit is None or not limit.enabled or limit.size is None or limit.size < 0:
        return items
    return items[: limit.size]
