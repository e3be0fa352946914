"""loop: runs the nodes inside it again and again, with variables that they change, until a condition holds."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any, Literal

import msgspec

from difyproj.kernel.errors import DomainError, InvalidParam
from workflows.engine.conditions import Condition, Logic, judge
from workflows.engine.containers import Container
from workflows.engine.events import Events
from workflows.engine.kinds import NUMBERS, TEXTS, fits, is_array, zero_of
from workflows.engine.limits import LimitExceeded
from workflows.engine.node import Done, Node, NodeContext, NodeStream, RoundFinished, Waiting
from workflows.engine.pool import MISSING
from workflows.engine.values import is_list


class LoopVariable(msgspec.Struct, frozen=True):
    """``value`` is a selector when ``value_type`` is ``variable``, else the value itself."""

    label: str
    var_type: str = "string"
    value_type: Literal["constant", "variable"] = "constant"
    value: Any = None


class LoopData(msgspec.Struct, frozen=True):
    loop_count: int = 1
    break_conditions: list[Condition] | None = None
    logical_operator: Logic | None = "and"
    loop_variables: list[LoopVariable] | None = None


class LoopNode(Node[LoopData]):
    schema = LoopData
    container = "loop"

    async def run(self, ctx: NodeContext[LoopData]) -> NodeStream:
        """The variables stand in the pool as ``[loop, label]``, where nodes inside assign to them."""
        for index, variable in enumerate(ctx.data.loop_variables or []):
            ctx.pool.declare(ctx.node_id, variable.label, variable.var_type)
            ctx.pool.set(ctx.node_id, variable.label, _initial(ctx, index, variable))
        rounds = _Rounds(ctx)
        told = rounds.container
        yield told.started({"loop_length": ctx.data.loop_count})
        async with aclosing(rounds.events()) as events:
            async for event in events:
                yield event
        outputs, metadata = rounds.outputs(), rounds.metadata()
        if rounds.error is not None:
            yield told.finished("failed", outputs, metadata, rounds.error.message)
            raise rounds.error
        if rounds.waiting is not None:
            yield rounds.waiting
            return
        yield told.finished("succeeded", outputs, metadata)
        yield Done(outputs, inputs=told.inputs, metadata={**told.metadata, **metadata})


def _initial(ctx: NodeContext[LoopData], index: int, variable: LoopVariable) -> Any:
    """The value with which a variable begins. Raises InvalidParam."""
    field = f"loop_variables.{index}.value"
    value = variable.value
    if variable.value_type == "variable":
        found = ctx.pool.get(value, MISSING) if is_list(value) else MISSING
        if found is MISSING:
            raise InvalidParam(f"The loop variable {variable.label!r} begins as a variable that does not exist.", params=field)
        return found
    kind = variable.var_type
    if isinstance(value, str) and kind not in TEXTS:
        value = _read(value, kind)
    if value is None or (is_array(kind) and not is_list(value)):
        return zero_of(kind)
    if not fits(value, kind):
        raise InvalidParam(f"The loop variable {variable.label!r} must be of the type {kind}.", params=field)
    return value


def _read(text: str, kind: str) -> Any:
    """What editors write as text; None for what cannot be read as a list, the text itself for what is nothing else."""
    if not text.strip():
        return None
    if kind in NUMBERS or kind in ("object", "boolean") or is_array(kind):
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return None if is_array(kind) else text
    return text


class _Rounds:
    """The rounds of one loop."""

    def __init__(self, ctx: NodeContext[LoopData]) -> None:
        assert ctx.children is not None
        self._ctx, self._children = ctx, ctx.children
        self.labels = [variable.label for variable in ctx.data.loop_variables or []]
        self.container = Container(ctx, "loop", {"loop_count": ctx.data.loop_count, **self._values()})
        self.error: DomainError | None = None
        self.waiting: Waiting | None = None
        self._broke = False
        self._count = 0
        self._variables: dict[str, Any] = {}

    def outputs(self) -> dict[str, Any]:
        return {**self._values(), "loop_round": self._count}

    def metadata(self) -> dict[str, Any]:
        reason = "error" if self.error is not None else "loop_break" if self._broke else "loop_completed"
        return {"completed_reason": reason, "loop_variable_map": dict(self._variables)}

    async def events(self) -> Events:
        self._broke = not self._children.was_begun(0) and self._holds_already()
        for index in range(self._ctx.data.loop_count):
            if self._broke or self.error is not None or self.waiting is not None:
                return
            if index >= self._ctx.limits.rounds:
                self.error = LimitExceeded(f"A loop went round more than {self._ctx.limits.rounds} times.")
                return
            if index:
                yield self.container.next(index, self.outputs())
            self._count = index + 1
            self.container.begin(index)
            async with aclosing(self._children.round(self._ctx.pool, index)) as events:
                async for event in events:
                    if isinstance(event, RoundFinished):
                        self._end(index, event)
                    else:
                        yield event

    def _end(self, index: int, end: RoundFinished) -> None:
        if end.waiting is not None:
            self.waiting = end.waiting
            return
        self.container.add(index, end)
        self._variables[str(index)] = self._values()
        self.error = end.error
        if self.error is not None or self._children.was_begun(index + 1):
            return
        try:
            self._broke = end.broke or self._holds()
        except DomainError as error:
            self.error = error

    def _values(self) -> dict[str, Any]:
        return {label: self._ctx.pool.get((self._ctx.node_id, label)) for label in self.labels}

    def _holds(self) -> bool:
        data = self._ctx.data
        conditions = data.break_conditions or []
        return (
            bool(conditions) and judge(conditions, self._ctx.pool, logic=data.logical_operator, field="break_conditions").holds
        )

    def _holds_already(self) -> bool:
        """Before the first round the conditions may look at what only a round will make."""
        try:
            return self._holds()
        except DomainError:
            return False
