"""A walk over one level of a graph: the graph itself, or what is inside a container, once per round. Only here nodes run."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from difyproj.kernel.errors import DomainError
from difyproj.kernel.ids import new_id

from .answer import AnswerStream, Said, TextWithdrawn
from .events import ContainerFinished, Events, NodeFinished, NodeRetried, NodeStarted, Place, RunEvent, TextChunk, TextReplaced
from .execution import Execution, Failed, Outcome
from .fan import Fan
from .frontier import Frontier
from .graph import BoundGraph
from .limits import Deadline, LimitExceeded, Limits
from .node import Done, Form, HistoryTurn, NodeContext, NodeText, RoundFinished, Waiting
from .past import Past
from .policies import NONE
from .pool import VariablePool
from .ports import Ports
from .spec import NodeSpec
from .state import RunState

# Nodes that never wait would keep the loop from everybody else.
_BREATHE_EVERY: Final = 32
_SAID: Final = (TextChunk, TextWithdrawn)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all walks of one run share."""

    ports: Ports
    state: RunState
    history: Sequence[HistoryTurn]
    limits: Limits
    past: Past
    deadline: Deadline


class Level:
    """``events`` walks. Then ``error`` (of ``failed_node``) tells why it ended early, ``asked`` which executions ask people
    what, ``waits`` whether the rest needs an answer, ``broke`` that the loop around it is to end. ``outputs`` are those of
    nodes that answer or end; ``replied`` says that some answered."""

    def __init__(self, around: Surroundings, bound: BoundGraph, pool: VariablePool, place: Place | None = None) -> None:
        self._around, self._bound, self._pool, self._place = around, bound, pool, place
        self._frontier = Frontier(bound)
        self._answers = AnswerStream(bound, pool, self._frontier)
        self._running: dict[str, Execution] = {}
        self.outputs: dict[str, Any] = {}
        self.asked: list[tuple[Execution, Form]] = []
        self.error: DomainError | None = None
        self.failed_node = ""
        self.broke = self.replied = self.waits = False
        self.steps = self.tokens = 0

    @property
    def text(self) -> str:
        """What was said, as readers see it in the end."""
        return self._answers.text

    def replay(self) -> Sequence[RunEvent]:
        """Do again, without running anything, what an earlier process finished here; the text that comes of it."""
        past, told = self._around.past, dict[str, str]()
        for event in past.at(self._place):
            name = event.node_id
            if name not in self._bound.classes:
                continue
            self._frontier.ready.pop(name, None)
            self.steps += 1
            if event.status == "failed":
                self.error, self.failed_node = DomainError(event.error), name
                break
            self._recall_text(event, told)
            for each in event.assigned:
                self._pool.set(each.scope, each.name, each.value)
            self._settle(name, Done(event.outputs or {}, usage=event.usage, handle=event.handle))
        for name in [name for name in self._frontier.ready if past.waits(name, self._place)]:
            self._frontier.ready.pop(name)
            self.waits = True
        return self._answers.restore(told)

    def _recall_text(self, event: NodeFinished, told: dict[str, str]) -> None:
        """A node that is finished may have been an answer, or have had some inside."""
        name = event.node_id
        if name in self._bound.inside:
            inside = [each for each in self._around.past.inside(name, self._place) if each.node_id in self._bound.repliers]
            for each in inside:
                self._answers.pass_on(name, TextChunk(_text_of(each), (each.node_id, "answer")))
            self.replied = self.replied or bool(inside)
        elif name in self._bound.answers:
            self._answers.freeze(name)
            if name in self._bound.repliers:
                told[name] = _text_of(event)

    async def events(self) -> Events:
        """What happens until nothing is left that could run, or a node fails. Whoever was running then is stopped."""
        ready, running, width = self._frontier.ready, self._running, max(self._around.limits.width, 1)
        fan: Fan[Execution, Outcome] | None = None
        try:
            while self.error is None and (ready or running):
                alone = len(ready) == 1 and not running
                while ready and len(running) < width and (execution := self._begin()) is not None:
                    for event in self._opening(execution):
                        yield event
                    if alone:
                        async with aclosing(execution.outputs()) as outputs:
                            async for output in outputs:
                                for event in self._take(execution, output):
                                    yield event
                        break
                    fan = fan or Fan(NodeStarted)
                    fan.add(execution, execution.outputs())
                if fan is not None and running and self.error is None:
                    execution, output = await fan.get()
                    for event in self._take(execution, output):
                        yield event
                if self._around.state.steps % _BREATHE_EVERY == 0:
                    await asyncio.sleep(0)
            if fan is not None and running:
                await fan.close()
                for execution in running.values():
                    yield execution.stopped()
        finally:
            if fan is not None:
                await fan.close()

    def _begin(self) -> Execution | None:
        """The next node's execution; None, with an error, when it may not begin."""
        around, bound = self._around, self._bound
        node_id, predecessor = self._frontier.take()
        self.steps += 1
        self.error = self._exceeded()
        if self.error is not None:
            return None
        begun_id = around.past.begun.get((node_id, self._place))
        if begun_id is None:
            around.state.steps += 1
        spec, policy = bound.graph.nodes[node_id], bound.policies.get(node_id, NONE)
        context = NodeContext(
            node_id=node_id,
            data=bound.data[node_id],
            pool=self._pool,
            ports=around.ports,
            state=around.state,
            history=around.history,
            execution_id=begun_id or str(new_id()),
            title=spec.title or spec.type,
            children=Rounds(around, bound.inside[node_id], spec, self._place) if node_id in bound.inside else None,
            resumption=around.past.answer(node_id, self._place),
            has_policy=policy is not NONE,
            limits=around.limits,
        )
        execution = Execution(
            spec=spec,
            kind=bound.classes[node_id],
            policy=policy,
            context=context,
            index=around.state.steps,
            predecessor=predecessor,
            place=self._place,
            begun=begun_id is not None,
        )
        self._running[node_id] = execution
        return execution

    def _exceeded(self) -> LimitExceeded | None:
        limits, state = self._around.limits, self._around.state
        if self.steps > limits.steps:
            return LimitExceeded(f"The run took more than {limits.steps} steps.")
        if state.steps >= limits.total_steps:
            return LimitExceeded(f"The run took more than {limits.total_steps} steps, the rounds of its containers included.")
        return self._around.deadline.error() if self._around.deadline.passed else None

    def _opening(self, execution: Execution) -> list[RunEvent]:
        """What comes before a node's own events: an answer says what is left of it."""
        name = execution.spec.id
        opening: list[RunEvent] = []
        if name in self._bound.answers and name not in self._bound.inside:
            opening += self._answers.freeze(name)
        return opening if execution.begun else [*opening, execution.started()]

    def _take(self, execution: Execution, output: Outcome) -> Sequence[RunEvent]:
        """What readers are told of one thing that a running node gave."""
        name = execution.spec.id
        if isinstance(output, NodeText):
            chunk = self._answers.feed(name, output.variable, output.text)
            return () if chunk is None else (chunk,)
        if isinstance(output, Done):
            del self._running[name]
            if output.usage is not None:
                self._around.state.spend(execution.context.execution_id, output.usage)
            return [*self._settle(name, output), execution.succeeded(output)]
        if isinstance(output, Failed):
            del self._running[name]
            return self._fail(execution, output.error)
        if isinstance(output, Waiting):
            del self._running[name]
            self.waits = True
            self.asked += output.inside if output.form is None else [(execution, output.form)]
            return ()
        if isinstance(output, _SAID):
            self.replied = True
            passed = self._answers.pass_on(name, output)
            return () if passed is None else (self._told(passed),)
        if isinstance(output, NodeRetried) and output.node_id == name:
            return [*self._withdraw(name), output]
        if isinstance(output, ContainerFinished):
            self.tokens += output.total_tokens
        return (output,)

    def _settle(self, node_id: str, done: Done) -> Sequence[RunEvent]:
        kind = self._bound.classes[node_id]
        self._pool.add(node_id, done.outputs)
        self._frontier.settle(node_id, done.handle)
        self.broke = self.broke or kind.breaks
        self.tokens += 0 if done.usage is None else done.usage.total_tokens
        if node_id in self._bound.answers and node_id not in self._bound.inside:
            self._merge(done.outputs, replies=kind.replies)
        return self._answers.advance()

    def _merge(self, outputs: Mapping[str, Any], *, replies: bool) -> None:
        if not replies:
            self.outputs.update(outputs)
            return
        self.replied = True
        self.outputs["files"] = [*self.outputs.get("files", ()), *outputs.get("files", ())]

    def _fail(self, execution: Execution, error: DomainError) -> list[RunEvent]:
        name = execution.spec.id
        if self._around.deadline.passed:
            error = self._around.deadline.error()
        done = None if isinstance(error, LimitExceeded) else execution.policy.instead(error)
        if done is None:
            self.error, self.failed_node = error, name
            return [execution.failed(error)]
        self._around.state.exceptions += 1
        return [*self._withdraw(name), *self._settle(name, done), execution.excused(done, error)]

    def _withdraw(self, node_id: str) -> list[RunEvent]:
        withdrawn = self._answers.withdraw(node_id)
        return [] if withdrawn is None else [self._told(withdrawn)]

    def _told(self, said: Said) -> RunEvent:
        """As readers are told: around a container only its own walk knows which text remains."""
        if isinstance(said, TextChunk) or self._place is not None:
            return said
        return TextReplaced(self.text, "retry")


def _text_of(answered: NodeFinished) -> str:
    return str((answered.outputs or {}).get("answer", ""))


class Rounds:
    """The nodes inside a container (``node.Children``): each round is a walk of its own."""

    def __init__(self, around: Surroundings, bound: BoundGraph, container: NodeSpec, place: Place | None) -> None:
        self._around, self._bound, self._container = around, bound, container
        self.place = place

    def was_begun(self, index: int) -> bool:
        return self._at(index) in self._around.past.places

    async def round(self, pool: VariablePool, index: int) -> Events:
        pool.forget(self._bound.classes)
        level = Level(self._around, self._bound, pool, self._at(index))
        for event in level.replay():
            yield event
        async with aclosing(level.events()) as events:
            async for event in events:
                yield event
        waiting = Waiting(inside=level.asked) if level.waits and level.error is None else None
        yield RoundFinished(level.error, level.broke, level.steps, level.tokens, waiting)

    def _at(self, index: int) -> Place:
        return Place(self._container.id, self._container.type, index, self.place)
