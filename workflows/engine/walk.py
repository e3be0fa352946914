"""A run from its beginning to its end: the walk over its graph, framed by the events of the run itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing

import msgspec

from .events import Events, HumanInputRequired, NodeFinished, Place, RunEvent, RunPaused, RunStarted
from .graph import BoundGraph, Graph, NodeTypes
from .layers import Layer
from .level import Level, Surroundings
from .limits import Deadline, LimitExceeded, Limits
from .node import FormAnswer, HistoryTurn
from .past import Past
from .pool import INPUTS, VariablePool
from .ports import Ports
from .state import RunState

INITIAL, RESUMPTION = "initial", "resumption"


def run(
    graph: Graph | BoundGraph,
    pool: VariablePool,
    ports: Ports,
    *,
    nodes: NodeTypes,
    state: RunState | None = None,
    history: Sequence[HistoryTurn] = (),
    layers: Sequence[Layer] = (),
    entry: str = "",
    limits: Limits | None = None,
    reason: str = INITIAL,
    finished: Sequence[NodeFinished] = (),
    begun: Mapping[tuple[str, Place | None], str] | None = None,
    answers: Mapping[str, FormAnswer] | None = None,
    waiting: Sequence[HumanInputRequired] = (),
    announced: Collection[RunEvent] = (),
) -> Events:
    """Run ``graph`` over ``pool`` and give RunStarted, the events of its nodes in order, and one terminal event or RunPaused.

    ``layers`` wrap the stream, the first one innermost. ``state`` is kept up to date with what left the engine. A run begins
    at ``entry``, if the graph has several roots. Closing the generator, or cancelling the task that waits in it, closes the
    running nodes and their model calls at once. A node begins only when the event after its NodeStarted is asked for.

    A run goes on where an earlier process left it when that one's ``finished`` nodes are given, in the order of their ends:
    they are neither run nor announced again, and ``state`` holds their text, steps and cost when this function returns.
    ``begun`` nodes without an end run again under their execution ids; ``announced`` are the other boundary events that were
    shown, they are not given again. ``answers`` are what people answered, by execution; ``waiting`` the forms that nobody has
    answered yet. ``reason`` is that of the RunStarted; empty, there is none.

    Raises GraphError when the graph does not fit its node types.
    """
    bound = graph if isinstance(graph, BoundGraph) else BoundGraph(graph, nodes, entry=entry)
    known = state if state is not None else RunState()
    past = Past(finished, begun or {}, answers or {}, waiting, announced)
    limit = limits or Limits()
    around = Surroundings(ports, known, history, limit, past, Deadline(limit.seconds))
    walk = _Walk(bound.at(entry) if entry else bound, pool, around, reason)
    for event in walk.recalled:
        known.apply(event)
    if not layers:
        return walk.events(known.apply)
    events = walk.events(_pass)
    for layer in layers:
        events = layer(events)
    return _told(events, known)


def _pass(event: RunEvent) -> None:
    """Layers stand between the walk and its readers: what leaves them counts."""


async def _told(events: Events, state: RunState) -> Events:
    async with aclosing(events):
        async for event in events:
            state.apply(event)
            yield event


class _Walk:
    def __init__(self, bound: BoundGraph, pool: VariablePool, around: Surroundings, reason: str) -> None:
        self._pool, self._around, self._reason = pool, around, reason
        self._state, self._models = around.state, around.ports.models
        self._level = Level(around, bound, pool)
        self._state.replies = bool(bound.repliers)
        around.past.recall(self._state)
        self.recalled = self._level.replay()
        self._state.outputs = self._level.outputs
        if self._state.depth > around.limits.depth:
            self._level.error = LimitExceeded(f"Workflows call each other more than {around.limits.depth} deep.")

    async def events(self, tell: Callable[[RunEvent], None]) -> Events:
        """All events of the run; ``tell`` hears of each before it is given."""
        if self._reason:
            inputs = dict(self._pool.scope(INPUTS))
            yield RunStarted(inputs=inputs, created_at=int(self._state.began_at), reason=self._reason)
        deadline, past, level = self._around.deadline, self._around.past, self._level
        try:
            async with aclosing(level.events()) as events:
                deadline.begin()
                async for event in events:
                    if past.announced and past.was_told(event):
                        continue
                    tell(event)
                    deadline.inside = False
                    yield event
                    deadline.inside = True
                    if deadline.passed:
                        level.error = deadline.error()
                        break
        except asyncio.CancelledError:
            if not deadline.took():
                raise
            level.error = deadline.error()
        finally:
            deadline.stop()
        for event in await self._closing():
            tell(event)
            yield event

    async def _closing(self) -> list[RunEvent]:
        state, level, models = self._state, self._level, self._models
        if level.error is not None:
            return [await state.failed(models, level.error, node_id=level.failed_node)]
        if level.waits:
            return await self._paused()
        status = "partial-succeeded" if state.exceptions else "succeeded"
        text = level.text
        outputs = {**level.outputs, "answer": text} if level.replied else level.outputs
        return [await state.finished(models, status, text, outputs)]

    async def _paused(self) -> list[RunEvent]:
        state, past = self._state, self._around.past
        asked = [
            HumanInputRequired(
                execution_id=execution.context.execution_id,
                node_id=execution.spec.id,
                title=execution.context.title,
                form=msgspec.to_builtins(form),
            )
            for execution, form in self._level.asked
        ]
        reasons = [*past.waiting, *asked]
        paused = RunPaused(
            paused_nodes=[each.node_id for each in reasons],
            reasons=reasons,
            outputs=dict(self._level.outputs),
            answer=self._level.text,
            usage=await state.usage(self._models),
            elapsed_time=round(state.elapsed, 3),
            total_steps=state.steps,
            created_at=int(state.began_at),
        )
        return [*(event for event in asked if not past.was_told(event)), paused]
