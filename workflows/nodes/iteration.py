"""iteration: runs the nodes inside it once for each item of a list, one after the other or several at a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, Final, Literal

import msgspec

from difyproj.kernel.errors import DomainError, InvalidParam
from workflows.engine.answer import TextWithdrawn
from workflows.engine.containers import Container
from workflows.engine.events import Events, NodeStarted, RunEvent, TextChunk
from workflows.engine.fan import Fan
from workflows.engine.limits import LimitExceeded
from workflows.engine.node import Done, Node, NodeContext, NodeStream, RoundFinished, Waiting
from workflows.engine.pool import MISSING, VariablePool
from workflows.engine.values import is_list

TERMINATED, REMOVE = "terminated", "remove-abnormal-output"
_SHARED: Final = "conversation"


class IterationData(msgspec.Struct, frozen=True):
    """``iterator_selector`` names the list, ``output_selector`` what a round gives; inside, ``item`` and ``index``."""

    iterator_selector: tuple[str, ...] = ()
    output_selector: tuple[str, ...] | None = ()
    is_parallel: bool | None = False
    parallel_nums: int | None = 10
    error_handle_mode: Literal["terminated", "continue-on-error", "remove-abnormal-output"] | None = "terminated"
    flatten_output: bool | None = True

    @property
    def width(self) -> int:
        return max(self.parallel_nums or 1, 1) if self.is_parallel else 1


class IterationNode(Node[IterationData]):
    schema = IterationData
    container = "iteration"

    async def run(self, ctx: NodeContext[IterationData]) -> NodeStream:
        items = _items(ctx)
        rounds = _Rounds(ctx, items)
        told = rounds.container
        yield told.started({"iterator_length": len(items)})
        async with aclosing(rounds.events()) as events:
            async for event in events:
                yield event
        if rounds.error is not None:
            yield told.finished("failed", {"output": rounds.results()}, error=rounds.error.message)
            raise rounds.error
        if rounds.waits:
            yield Waiting(inside=rounds.asked)
            return
        outputs = {"output": rounds.results()}
        yield told.finished("succeeded", outputs)
        yield Done(outputs, inputs=told.inputs, metadata=told.metadata)


def _items(ctx: NodeContext[IterationData]) -> Sequence[Any]:
    """The list; raises InvalidParam for anything else but null."""
    selector = ctx.data.iterator_selector
    value = ctx.pool.get(selector, MISSING)
    if value is MISSING:
        raise InvalidParam(f"Variable {'.'.join(selector)} not found.", params="iterator_selector")
    if value is not None and not is_list(value):
        raise InvalidParam("An iteration needs a list.", params="iterator_selector")
    return value or []


class _Rounds:
    """The rounds of one iteration. Text of a later round waits until the earlier ones have said theirs."""

    def __init__(self, ctx: NodeContext[IterationData], items: Sequence[Any]) -> None:
        assert ctx.children is not None
        self._ctx, self._children, self._items = ctx, ctx.children, items
        self.container = Container(ctx, "iteration", {"iterator_selector": items})
        self.error: DomainError | None = None
        self._mode = ctx.data.error_handle_mode or TERMINATED
        self._results: dict[int, Any] = {}
        self._dropped: set[int] = set()
        self._pools: dict[int, VariablePool] = {}
        self._held: dict[int, list[RunEvent]] = {}
        self._ended: set[int] = set()
        self._speaks = 0
        self._waiting: set[int] = set()
        self.asked: list[Any] = []

    @property
    def waits(self) -> bool:
        """Whether people are asked in some round."""
        return bool(self._waiting)

    def results(self) -> list[Any]:
        """What the rounds gave, by index."""
        found = [self._results.get(index) for index in range(len(self._items)) if index not in self._dropped]
        if self.error is not None:
            found = [self._results[index] for index in sorted(self._results)]
        lists = [value for value in found if value is not None]
        if self._ctx.data.flatten_output is not False and lists and all(is_list(value) for value in lists):
            return [item for value in lists for item in value]
        return found

    async def events(self) -> Events:
        width = min(self._ctx.data.width, self._ctx.limits.width)
        fan: Fan[int, RunEvent] = Fan(NodeStarted)
        begun = 0
        try:
            while len(self._ended) < begun or (begun < len(self._items) and self._goes_on(width)):
                while self._goes_on(width) and begun < len(self._items) and begun - len(self._ended) < width:
                    yield self.container.next(begun, self._results.get(begun - 1))
                    fan.add(begun, self._open(begun))
                    begun += 1
                index, event = await fan.get()
                for told in self._take(index, event):
                    yield told
        finally:
            await fan.close()

    def _goes_on(self, width: int) -> bool:
        """Rounds that come one after the other wait for each other's people, too."""
        return self.error is None and not (self.waits and width == 1)

    def _open(self, index: int) -> Events:
        pool = self._pools[index] = self._ctx.pool.copied(_SHARED)
        pool.add(self._ctx.node_id, {"item": self._items[index], "index": index})
        self.container.begin(index)
        return self._children.round(pool, index)

    def _take(self, index: int, event: RunEvent) -> list[RunEvent]:
        if isinstance(event, RoundFinished):
            return self._end(index, event)
        if isinstance(event, TextChunk | TextWithdrawn) and index != self._speaks:
            self._held.setdefault(index, []).append(event)
            return []
        return [event]

    def _end(self, index: int, end: RoundFinished) -> list[RunEvent]:
        self._ended.add(index)
        pool = self._pools.pop(index)
        if end.waiting is not None:
            self._waiting.add(index)
            self.asked += end.waiting.inside
            return []
        self.container.add(index, end)
        if end.error is None:
            self._results[index] = pool.get(self._ctx.data.output_selector or ())
        elif self._mode == TERMINATED or isinstance(end.error, LimitExceeded):
            self.error = self.error or end.error
        elif self._mode == REMOVE:
            self._dropped.add(index)
        said: list[RunEvent] = []
        while self._speaks in self._ended - self._waiting:
            self._speaks += 1
            said += self._held.pop(self._speaks, ())
        return said
