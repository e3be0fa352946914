"""A run that another process goes on with: what was done is neither run nor told again, and the end is the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from difyproj.testing.fakes import scripted, visible
from workflows.engine.events import (
    BOUNDARIES,
    ContainerFinished,
    ContainerNext,
    ContainerStarted,
    NodeFinished,
    NodeRetried,
    NodeStarted,
    Place,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunStarted,
    TextReplaced,
)
from workflows.engine.graph import Graph
from workflows.engine.pool import VariablePool
from workflows.engine.state import RunState
from workflows.engine.walk import run

from . import acting
from .acting import RAN
from .graphs import TYPES, chain, graph, short
from .graphs_at_random import random_graphs
from .graphs_inside import exported, iteration, loop
from .test_engine_containers import sometimes_failing

INPUTS = {"items": ["a", "bad", "c"], "n": 1}
SAY_ALL = ("end", "answer", {"answer": "[{{#one.text#}}|{{#two.text#}}|{{#conversation.word#}}]"})
COUNTED = {"items": [{"variable_selector": ["again", "num"], "operation": "+=", "input_type": "constant", "value": 1}]}
COUNT_TURNS = {"items": [{"variable_selector": ["conversation", "n"], "operation": "+=", "input_type": "constant", "value": 1}]}
NUMBER = {"label": "num", "var_type": "number", "value": 0}
DEFAULT = {"error_strategy": "default-value", "default_value": [{"key": "text", "value": "instead"}]}


def _talker(word: str, **more: Any) -> dict[str, Any]:
    return {"words": [word, " "], "tokens": 3, **more}


def _parallel() -> Graph:
    return graph(
        ("start", "start", {}),
        ("one", "act", _talker("one", assign={"conversation.word": "new"})),
        ("if", "echo", {"handle": "yes"}),
        ("two", "act", _talker("two", seconds=0.001)),
        ("no", "act", {}),
        SAY_ALL,
        ("after", "end", {"outputs": [{"variable": "seen", "value_selector": ["two", "text"]}]}),
        edges=[
            "start -> one",
            "start -> if",
            "if:yes -> two",
            "if:no -> no",
            "one -> end",
            "two -> end",
            "no -> end",
            "end -> after",
        ],
    )


def _failing() -> Graph:
    tried = {"retry_config": {"retry_enabled": True, "max_retries": 1, "retry_interval": 0}}
    return graph(
        ("start", "start", {}),
        ("one", "act", _talker("half", fails=-1, **tried, **DEFAULT)),
        ("two", "act", {"fails": -1, "error_strategy": "fail-branch"}),
        ("never", "act", {}),
        ("say", "answer", {"answer": "{{#one.text#}} and {{#two.error_message#}}"}),
        edges=["start -> one", "start -> two", "two:source -> never", "two:fail-branch -> say", "one -> say"],
    )


def _nested() -> Graph:
    outer = {"iterator_selector": ["start", "items"], "output_selector": ["again", "num"], "is_parallel": True}
    return exported(
        [
            ("start", "start", {}), ("each", "iteration", outer), ("first", "iteration-start", {}),
            ("again", "loop", {"loop_count": 2, "loop_variables": [NUMBER]}), ("begin", "loop-start", {}),
            ("count", "assigner", COUNTED), ("say", "answer", {"answer": "{{#each.item#}}{{#again.num#}} "}),
            ("last", "answer", {"answer": "{{#each.output#}}"}),
        ],
        ["start -> each", "first -> again", "begin -> count", "count -> say", "each -> last"],
        each=["first", "again"],
        again=["begin", "count", "say"],
    )  # fmt: skip


def _iteration(**data: Any) -> Graph:
    body = [
        ("one", "act", _talker("x", shows=["each", "item"])),
        ("say", "answer", {"answer": "{{#each.item#}}{{#one.text#}},"}),
    ]
    return iteration(
        *body, after=[("done", "answer", {"answer": "{{#each.output#}}"})], **{"output_selector": ["one", "value"], **data}
    )


GRAPHS = {
    "chain": chain(("one", "act", _talker("one")), ("two", "act", _talker("two")), SAY_ALL),
    "parallel": _parallel(),
    "failing": _failing(),
    "iteration": _iteration(),
    "parallel iteration": _iteration(is_parallel=True, parallel_nums=2),
    "loop": loop(
        ("count", "assigner", COUNTED),
        ("say", "answer", {"answer": "{{#again.num#}} "}),
        after=[("end", "answer", {"answer": "{{#again.num#}}!"})],
        loop_count=4,
        loop_variables=[NUMBER],
        break_conditions=[{"variable_selector": ["again", "num"], "comparison_operator": "≥", "value": "3"}],
    ),
    "nested": _nested(),
    "iteration with errors": sometimes_failing(error_handle_mode="continue-on-error"),
    "parallel iteration with errors": sometimes_failing(error_handle_mode="remove-abnormal-output", is_parallel=True),
    "changing conversation": chain(
        ("say", "answer", {"answer": "{{#conversation.word#}}, "}),
        ("set", "act", {"assign": {"conversation.word": "new"}}),
        ("one", "act", {}),
        ("end", "answer", {"answer": "{{#conversation.word#}}"}),
    ),
    "loop until the conversation changed": loop(
        ("say", "answer", {"answer": "{{#conversation.n#}} "}),
        ("count", "assigner", COUNT_TURNS),
        ("one", "act", {}),
        after=[("end", "answer", {"answer": "{{#again.loop_round#}}"})],
        loop_count=9,
        break_conditions=[{"variable_selector": ["conversation", "n"], "comparison_operator": "≥", "value": "3"}],
    ),
}


@dataclass
class Known:
    """What the rows hold of a run that was cut short."""

    finished: list[NodeFinished] = field(default_factory=list)
    begun: dict[tuple[str, Place | None], str] = field(default_factory=dict)
    announced: list[RunEvent] = field(default_factory=list)
    conversation: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, events: Sequence[RunEvent]) -> Known:
        known = cls()
        for event in events:
            if isinstance(event, NodeFinished):
                known.finished.append(event)
                known.conversation |= {each.name: each.value for each in event.assigned if each.scope == "conversation"}
            elif isinstance(event, NodeStarted):
                known.begun[event.node_id, event.place] = event.execution_id
            elif isinstance(event, BOUNDARIES):
                known.announced.append(event)
        return known


def _pool(kept: Known | None = None) -> VariablePool:
    """With the variables of the conversation as they were kept."""
    changed = kept.conversation if kept is not None else {}
    return VariablePool({"inputs": INPUTS, "sys": {"query": "q"}, "conversation": {"word": "old", "n": 0, **changed}})


async def _whole(tree: Graph, kept: Known | None = None, **more: Any) -> list[RunEvent]:
    async with aclosing(run(tree, _pool(kept), scripted(), nodes=TYPES, **more)) as events:
        return [event async for event in events]


async def _resumed(tree: Graph, known: Known, state: RunState, **more: Any) -> list[RunEvent]:
    options = {"reason": "", "begun": known.begun, "finished": known.finished, "announced": known.announced, **more}
    return await _whole(tree, known, state=state, **options)


def _boundaries(events: Sequence[RunEvent]) -> Counter[tuple[Any, ...]]:
    """Each boundary event by what tells it from all others of its run."""
    found: Counter[tuple[Any, ...]] = Counter()
    for event in events:
        if isinstance(event, NodeStarted | NodeFinished):
            found[type(event), event.node_id, event.place] += 1
        elif isinstance(event, NodeRetried):
            found[type(event), event.node_id, event.place, event.retry_index] += 1
        elif isinstance(event, ContainerStarted | ContainerFinished):
            found[type(event), event.node_id, event.place] += 1
        elif isinstance(event, ContainerNext):
            found[type(event), event.node_id, event.place, event.index] += 1
        elif isinstance(event, BOUNDARIES):
            found[(type(event),)] += 1
    return found


def _cuts(events: Sequence[RunEvent]) -> list[int]:
    """Behind each boundary event: that is where a process may have died."""
    return [index + 1 for index, event in enumerate(events) if isinstance(event, BOUNDARIES)]


@pytest.mark.parametrize("name", GRAPHS)
async def test_a_run_cut_anywhere_ends_as_if_it_had_not_been_cut(name: str) -> None:
    tree = GRAPHS[name]
    whole = await _whole(tree)
    end = whole[-1]
    assert isinstance(end, RunFinished)
    for cut in _cuts(whole):
        acting.forget()
        before, state = whole[:cut], RunState()
        known = Known.of(before)
        after = await _resumed(tree, known, state)
        last = after[-1]
        assert isinstance(last, RunFinished), f"cut at {cut}: {last}"
        assert (last.status, last.outputs, last.answer) == (end.status, end.outputs, end.answer), f"cut at {cut}"
        assert (last.total_steps, last.exceptions_count) == (end.total_steps, end.exceptions_count), f"cut at {cut}"
        assert last.usage.total_tokens == end.usage.total_tokens and last.usage.total_price == end.usage.total_price
        assert _boundaries([*before, *after]) == _boundaries(whole), f"cut at {cut}"


@pytest.mark.parametrize("name", GRAPHS)
async def test_the_text_after_a_cut_is_that_of_the_finished_nodes_and_grows_to_the_same_answer(name: str) -> None:
    tree = GRAPHS[name]
    whole = await _whole(tree)
    for cut in _cuts(whole):
        acting.forget()
        state, known = RunState(), Known.of(whole[:cut])
        past: dict[str, Any] = {"reason": "", "finished": known.finished, "begun": known.begun}
        stream = run(tree, _pool(known), scripted(), nodes=TYPES, state=state, **past)
        kept, steps, spent = state.answer, state.steps, state.spent
        assert getattr(whole[-1], "answer", "").startswith(kept), f"cut at {cut}"
        assert steps == sum(isinstance(event, NodeStarted) for event in whole[:cut])
        assert spent.total_tokens == sum(event.usage.total_tokens for event in known.finished if event.usage is not None)
        async with aclosing(stream):
            after = [event async for event in stream]
        assert visible([TextReplaced(kept), *after]) == getattr(whole[-1], "answer", "") == state.answer, f"cut at {cut}"


@pytest.mark.parametrize("name", GRAPHS)
async def test_no_finished_node_runs_twice_at_any_place(name: str) -> None:
    tree = GRAPHS[name]
    whole = await _whole(tree)
    for cut in _cuts(whole):
        state, known = RunState(), Known.of(whole[:cut])
        done = {(event.node_id, event.place) for event in known.finished}
        after = await _resumed(tree, known, state)
        again = {(event.node_id, event.place) for event in after if isinstance(event, NodeFinished)}
        assert not done & again, f"cut at {cut}"
        ids = {(e.node_id, e.place): e.execution_id for e in whole[:cut] if isinstance(e, NodeStarted)}
        for event in after:
            if isinstance(event, NodeFinished) and (event.node_id, event.place) in ids:
                assert event.execution_id == ids[event.node_id, event.place]


@given(random_graphs(racing=False), some.integers(0, 30))
def test_any_graph_cut_anywhere_says_the_same_in_the_end(tree: Graph, place: int) -> None:
    whole = asyncio.run(_whole(tree))
    cuts = _cuts(whole)
    cut = cuts[place % len(cuts)]
    state, known = RunState(), Known.of(whole[:cut])
    after = asyncio.run(_resumed(tree, known, state))
    first, last = whole[-1], after[-1]
    assert isinstance(first, RunFinished) and isinstance(last, RunFinished)
    assert (last.answer, last.outputs, last.total_steps) == (first.answer, first.outputs, first.total_steps)
    assert _boundaries([*whole[:cut], *after]) == _boundaries(whole)


@pytest.mark.parametrize("name", GRAPHS)
async def test_closing_a_run_anywhere_leaves_nothing_behind(name: str) -> None:
    tree = GRAPHS[name]
    before, count = asyncio.all_tasks(), len(await _whole(tree))
    for most in range(1, count):
        acting.forget()
        async with aclosing(run(tree, _pool(), scripted(), nodes=TYPES)) as events:
            for _ in range(most):
                await anext(events)
        assert asyncio.all_tasks() == before, f"closed after {most} events"
        ran = list(RAN)
        await asyncio.sleep(0)
        assert ran == RAN, "nothing goes on"


async def test_a_node_that_had_begun_runs_again_under_its_id_without_a_second_start() -> None:
    tree = chain(("one", "act", _talker("one")))
    events = await _resumed(tree, Known(begun={("start", None): "id-1"}), RunState())
    assert short(events) == "-start +one -one RunFinished"
    assert next(event.execution_id for event in events if isinstance(event, NodeFinished)) == "id-1"


async def test_a_run_after_a_pause_tells_that_it_was_resumed() -> None:
    events = await _resumed(chain(("one", "act", {})), Known(), RunState(), reason="resumption")
    assert isinstance(events[0], RunStarted) and events[0].reason == "resumption"


async def test_a_node_that_must_never_run_again_fails_instead() -> None:
    tree = chain(("pay", "once", {}))
    whole = await _whole(tree)
    known = Known.of([event for event in whole if not (isinstance(event, NodeFinished) and event.node_id == "pay")])
    acting.forget()
    last = (await _resumed(tree, known, RunState()))[-1]
    assert RAN == [] and isinstance(last, RunFailed)
    assert last.node_id == "pay" and "may not run again" in last.message


async def test_a_strategy_may_take_care_of_a_node_that_must_never_run_again() -> None:
    tree = chain(("pay", "once", {"retry_config": {"retry_enabled": True, "max_retries": 3}, **DEFAULT}))
    last = (await _resumed(tree, Known(begun={("start", None): "a", ("pay", None): "b"}), RunState()))[-1]
    assert RAN == [] and isinstance(last, RunFinished) and last.status == "partial-succeeded"


async def test_a_node_that_must_never_run_again_runs_the_first_time() -> None:
    assert isinstance((await _whole(chain(("pay", "once", {}))))[-1], RunFinished) and RAN == ["pay"]


async def test_a_failure_that_was_kept_ends_the_resumed_run() -> None:
    tree = chain(("bad", "act", {"fails": -1}), ("after", "act", {}))
    whole = await _whole(tree)
    acting.forget()
    last = (await _resumed(tree, Known.of(whole[:-1]), RunState()))[-1]
    assert isinstance(last, RunFailed) and (last.message, last.node_id) == ("It broke.", "bad") and RAN == []


async def test_siblings_that_were_stopped_run_again() -> None:
    tree = graph(("start", "start", {}), ("slow", "act", {}), ("after", "act", {}), edges=["start -> slow", "slow -> after"])
    whole = await _whole(tree)
    known = Known.of(whole[:4])
    stopped = next(event for event in whole if isinstance(event, NodeFinished) and event.node_id == "slow")
    known.finished.append(msgspec.structs.replace(stopped, status="stopped", outputs=None))
    acting.forget()
    assert short(await _resumed(tree, known, RunState())) == "-slow +after -after RunFinished"


async def test_a_finished_run_that_lost_only_its_end_gets_it() -> None:
    tree = GRAPHS["parallel"]
    whole = await _whole(tree)
    acting.forget()
    events = await _resumed(tree, Known.of(whole[:-1]), RunState())
    assert short(events) == "RunFinished" and RAN == []
    assert not isinstance(events[-1], RunPaused)
