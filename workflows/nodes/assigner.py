"""assigner: changes variables that outlive a node: those of a conversation, of a loop, or another node's output."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from difyproj.kernel.errors import InvalidParam
from workflows.engine.kinds import NUMBERS, TEXTS, element_of, fits, is_array, zero_of
from workflows.engine.node import Done, Node, NodeContext, NodeStream
from workflows.engine.pool import MISSING, VariablePool
from workflows.engine.values import is_list

_ARITHMETIC: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+=": operator.add,
    "-=": operator.sub,
    "*=": operator.mul,
    "/=": operator.truediv,
}
_WITHOUT_VALUE: Final = frozenset({"clear", "remove-first", "remove-last"})
_ON_LISTS: Final = frozenset({"append", "extend", "remove-first", "remove-last"})
_CONSTANT_ONLY: Final = frozenset({"set", *_ARITHMETIC})
_OPERATIONS: Final = frozenset({"over-write", *_CONSTANT_ONLY, *_WITHOUT_VALUE, *_ON_LISTS})
_SCALARS: Final = frozenset({"boolean", "object", "any", *NUMBERS, *TEXTS})
_LARGEST: Final = 2**63 - 1


class Item(msgspec.Struct, frozen=True):
    """One change. ``value`` is a selector when ``input_type`` is ``variable``, else the value itself."""

    variable_selector: tuple[str, ...] | None = ()
    operation: str = "over-write"
    input_type: Literal["variable", "constant"] | None = "variable"
    value: Any = None


class AssignerData(msgspec.Struct, frozen=True):
    """``items`` is the second version; the first has one change in three fields of its own."""

    items: list[Item] | None = None
    assigned_variable_selector: tuple[str, ...] | None = None
    input_variable_selector: tuple[str, ...] | None = None
    write_mode: str = "over-write"

    def changes(self) -> Sequence[tuple[str, Item]]:
        """The changes and where in the data they stand."""
        if self.items is not None or self.assigned_variable_selector is None:
            return [(f"items.{index}", item) for index, item in enumerate(self.items or [])]
        source = list(self.input_variable_selector or ())
        return [("assigned_variable_selector", Item(self.assigned_variable_selector, self.write_mode, "variable", source))]


class AssignerNode(Node[AssignerData]):
    schema = AssignerData

    @classmethod
    def writes(cls, data: AssignerData) -> list[tuple[str, ...]]:
        return [item.variable_selector or () for _, item in data.changes()]

    async def run(self, ctx: NodeContext[AssignerData]) -> NodeStream:
        """The changes see each other in turn, and are made together once all are known to be possible."""
        draft = _Draft(ctx.pool)
        for field, item in ctx.data.changes():
            try:
                _apply(item, draft)
            except (ValueError, OverflowError) as error:
                raise InvalidParam(f"{error}", params=field) from error
        for (scope, name), value in draft.new.items():
            ctx.pool.assign(scope, name, value)
        changed = [{"selector": list(target), "new_value": value} for target, value in draft.new.items()]
        yield Done(
            inputs=msgspec.to_builtins({"items": [item for _, item in ctx.data.changes()]}),
            process_data={"updated_variables": changed},
        )


class _Draft:
    """The pool as it will be after the changes so far."""

    def __init__(self, pool: VariablePool) -> None:
        self._pool = pool
        self.new: dict[tuple[str, str], Any] = {}

    def get(self, selector: Sequence[str]) -> Any:
        """The value; raises ValueError where there is none."""
        target = (*selector[:2], "", "")[:2]
        pool = VariablePool({target[0]: {target[1]: self.new[target]}}) if target in self.new else self._pool
        value = pool.get(selector, MISSING)
        if value is MISSING:
            raise ValueError(f"Variable {'.'.join(selector)} not found.")
        return value

    def kind(self, scope: str, name: str) -> str:
        return self._pool.kind(scope, name)


def _apply(item: Item, draft: _Draft) -> None:
    """Add what ``item`` does to the draft. Raises ValueError or OverflowError."""
    selector, operation = item.variable_selector or (), item.operation
    current = draft.get(selector)
    if len(selector) != 2:
        raise ValueError(f"{'.'.join(selector)} is a part of a variable; only whole variables can be assigned to.")
    scope, name = selector
    kind = draft.kind(scope, name)
    _check(item, kind)
    if operation in _WITHOUT_VALUE:
        draft.new[scope, name] = _shortened(operation, kind, current)
        return
    value = _value(item, kind, draft)
    if value is None and item.input_type != "constant":
        return
    wanted = element_of(kind) if operation == "append" else kind
    if not fits(value, wanted) or (operation == "append" and is_list(value)):
        raise ValueError(f"The value for {scope}.{name} must be of the type {wanted}.")
    draft.new[scope, name] = _combined(operation, current, value)


def _check(item: Item, kind: str) -> None:
    """Raises ValueError for an operation that is unknown or not made for the variable's type or the value's origin."""
    operation = item.operation
    if operation not in _OPERATIONS:
        raise ValueError(f"The operation {operation!r} is not known.")
    suits = (
        (operation not in _ON_LISTS or is_array(kind))
        and (operation not in _ARITHMETIC or kind in NUMBERS)
        and (operation != "set" or kind in _SCALARS)
    )
    if not suits:
        raise ValueError(f"The operation {operation!r} does not suit a variable of the type {kind}.")
    if operation in _WITHOUT_VALUE:
        return
    if item.input_type == "constant":
        if kind not in _SCALARS:
            raise ValueError(f"The operation {operation!r} on the type {kind} takes its value from a variable.")
    elif operation in _CONSTANT_ONLY:
        raise ValueError(f"The operation {operation!r} takes a constant.")


def _value(item: Item, kind: str, draft: _Draft) -> Any:
    value = item.value
    if item.input_type != "constant":
        if not is_list(value) or not all(isinstance(step, str) for step in value):
            raise ValueError(f"The operation {item.operation!r} needs the selector of a variable.")
        return draft.get(value)
    if item.operation == "set" and kind == "object" and isinstance(value, str):
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            raise ValueError("The value is not the JSON text of an object.") from None
    return value


def _shortened(operation: str, kind: str, current: Any) -> Any:
    if operation == "clear":
        return zero_of(kind)
    items = list(_present(current))
    return items[1:] if operation == "remove-first" else items[:-1]


def _combined(operation: str, current: Any, value: Any) -> Any:
    if operation == "append":
        return [*_present(current), value]
    if operation == "extend":
        return [*_present(current), *value]
    if operation not in _ARITHMETIC:
        return value
    if operation == "/=" and value == 0:
        raise ValueError("A number cannot be divided by zero.")
    try:
        result = _ARITHMETIC[operation](current, value)
        too_large = not math.isfinite(result) or (isinstance(result, int) and abs(result) > _LARGEST)
    except (TypeError, OverflowError):
        raise ValueError(f"The operation {operation!r} does not work on these values.") from None
    if too_large:
        raise ValueError("The result is too large a number.")
    return result


def _present(current: Any) -> Sequence[Any]:
    """The list to change; one that was never set is empty."""
    return current if is_list(current) else ()
