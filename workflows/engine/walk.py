"""The walk: takes ready nodes one after another, runs them, and yields what happens. The only place that runs nodes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError, InternalError
from difyproj.kernel.ids import new_id

from .answer import AnswerStream
from .events import Events, NodeFinished, NodeStarted, RunEvent, RunStarted
from .frontier import Frontier
from .graph import BoundGraph, Graph, NodeTypes
from .layers import Layer
from .node import Done, HistoryTurn, NodeContext, NodeStream, NodeText
from .pool import INPUTS, VariablePool
from .ports import Ports
from .state import RunState

log = logging.getLogger(__name__)


async def run(
    graph: Graph | BoundGraph,
    pool: VariablePool,
    ports: Ports,
    *,
    nodes: NodeTypes,
    state: RunState | None = None,
    history: Sequence[HistoryTurn] = (),
    layers: Sequence[Layer] = (),
) -> Events:
    """Run ``graph`` over ``pool`` and yield RunStarted, the events of its nodes in order, and one terminal event.

    ``layers`` wrap the stream, the first one innermost. ``state`` is kept up to date with what left the engine. Closing
    the generator, or cancelling the task that waits in it, closes the running node and its model call at once.
    Raises GraphError, before any event, when the graph does not fit its node types.
    """
    bound = graph if isinstance(graph, BoundGraph) else BoundGraph(graph, nodes)
    known = state if state is not None else RunState()
    events: Events = _Walk(bound, pool, ports, known, history).events()
    for layer in layers:
        events = layer(events)
    async with aclosing(events):
        async for event in events:
            known.apply(event)
            yield event


class _Walk:
    def __init__(
        self, bound: BoundGraph, pool: VariablePool, ports: Ports, state: RunState, history: Sequence[HistoryTurn]
    ) -> None:
        self.bound, self.pool, self.ports, self.state, self.history = bound, pool, ports, state, history
        self.frontier = Frontier(bound)
        self.answers = AnswerStream(bound, pool, self.frontier)
        self.outputs: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.error: DomainError | None = None
        self.previous: str | None = None

    async def events(self) -> Events:
        yield RunStarted(inputs=dict(self.pool.scope(INPUTS)), created_at=int(self.state.began_at))
        while self.error is None and (node_id := self.frontier.take()) is not None:
            async with aclosing(self._step(node_id)) as step:
                async for event in step:
                    yield event
        yield await self._terminal()

    async def _step(self, node_id: str) -> Events:
        """Run one node. Its failure is kept in ``error``; nothing but a cancellation leaves this place."""
        for chunk in self.answers.freeze(node_id) if node_id in self.bound.answers else ():
            yield chunk
        settled = False
        record = _Execution(self.bound, node_id, index=self.state.steps + 1)
        self.state.steps += 1
        yield record.started(self.previous)
        try:
            async with aclosing(self._open(node_id)) as outputs:
                async for output in outputs:
                    if isinstance(output, NodeText):
                        fed = self.answers.feed(node_id, output.variable, output.text)
                        if fed is not None:
                            yield fed
                    elif isinstance(output, Done):
                        settled = True
                        for released in self._settle(node_id, output):
                            yield released
                        yield record.finished(output)
                    elif isinstance(output, RunEvent):
                        yield output
            if not settled:
                raise RuntimeError(f"The node type {record.node_type} ended without its outputs.")
        except DomainError as error:
            self.error = error
        except Exception:
            log.exception("node failed", extra={"node_id": node_id, "node_type": record.node_type})
            self.error = InternalError()
        self.previous = node_id
        if self.error is not None:
            yield record.failed(self.error)

    def _open(self, node_id: str) -> NodeStream:
        kind, data = self.bound.classes[node_id], self.bound.data[node_id]
        ctx = NodeContext(node_id, data, self.pool, self.ports, self.state, self.history)
        return kind().run(ctx)

    def _settle(self, node_id: str, done: Done) -> Sequence[RunEvent]:
        self.pool.add(node_id, done.outputs)
        self.frontier.settle(node_id, done.handle)
        if node_id in self.bound.answers:
            self.outputs.update(done.outputs)
            self.texts[node_id] = str(done.outputs.get("answer", ""))
        return self.answers.advance()

    async def _terminal(self) -> RunEvent:
        models = self.ports.models
        if self.error is not None:
            return await self.state.failed(models, self.error)
        answer = "".join(self.texts[name] for name in self.answers.order)
        outputs = {**self.outputs, "answer": answer} if self.texts else self.outputs
        return await self.state.finished(models, "succeeded", answer, outputs)


class _Execution:
    """The bookkeeping of one execution of a node."""

    def __init__(self, bound: BoundGraph, node_id: str, *, index: int) -> None:
        spec = bound.graph.nodes[node_id]
        self.execution_id, self.node_id, self.node_type = str(new_id()), node_id, spec.type
        self.title, self.index = spec.title or spec.type, index
        self.began, self.created_at = clock.monotonic(), clock.now().timestamp()

    def started(self, predecessor: str | None) -> NodeStarted:
        return NodeStarted(
            self.execution_id, self.node_id, self.node_type, self.title, self.index, self.created_at, predecessor
        )

    def finished(self, done: Done) -> NodeFinished:
        return self._ended(
            "succeeded",
            inputs=None if done.inputs is None else dict(done.inputs),
            outputs=dict(done.outputs),
            process_data=None if done.process_data is None else dict(done.process_data),
            usage=done.usage,
        )

    def failed(self, error: DomainError) -> NodeFinished:
        return self._ended("failed", error=error.message)

    def _ended(self, status: str, **detail: Any) -> NodeFinished:
        elapsed = clock.monotonic() - self.began
        return NodeFinished(
            execution_id=self.execution_id,
            node_id=self.node_id,
            node_type=self.node_type,
            title=self.title,
            index=self.index,
            status=status,
            created_at=self.created_at,
            finished_at=clock.now().timestamp(),
            elapsed_time=round(elapsed, 6),
            **detail,
        )
