"""A run that asks for more than it may have ends with an error that says so, and nothing takes care of that error."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest

from difyproj.testing.fakes import KeptFiles, ScriptedModels, scripted
from workflows.engine.events import NodeFinished, RunFailed, RunFinished, TextChunk
from workflows.engine.graph import BoundGraph, Edge, Graph, GraphError, NodeSpec, parse
from workflows.engine.limits import Limits, is_larger
from workflows.engine.pool import VariablePool
from workflows.engine.ports import Ports
from workflows.engine.state import RunState
from workflows.engine.walk import run

from .acting import CLOSED
from .graphs import LLM, TYPES, chain, events_of, graph

FALLBACK = {"error_strategy": "default-value", "default_value": []}


async def test_time_that_is_over_interrupts_a_model_that_goes_on() -> None:
    models = ScriptedModels(("one ", 60.0, "never"))
    tree = chain(("llm", "llm", {**LLM, **FALLBACK}), ("answer", "answer", {"answer": "{{#llm.text#}}"}))
    began = time.monotonic()
    last = (await events_of(tree, Ports(models, KeptFiles()), limits=Limits(seconds=0.1)))[-1]
    assert 0.1 <= time.monotonic() - began < 1 and models.closed == 1
    assert isinstance(last, RunFailed) and "longer than 0.1 seconds" in last.message and last.answer == "one "


async def test_time_that_is_over_interrupts_parallel_branches() -> None:
    tree = graph(
        ("start", "start", {}),
        ("a", "act", {"seconds": 60}),
        ("b", "act", {"seconds": 60}),
        edges=["start -> a", "start -> b"],
    )
    before = asyncio.all_tasks()
    last = (await events_of(tree, scripted(), limits=Limits(seconds=0.05)))[-1]
    assert isinstance(last, RunFailed) and "seconds" in last.message
    assert sorted(CLOSED) == ["a", "b"] and asyncio.all_tasks() == before


async def test_the_deadline_leaves_the_readers_own_work_alone() -> None:
    tree = chain(("a", "act", {"words": ["x", "y"]}), ("answer", "answer", {"answer": "{{#a.text#}}"}), ("b", "act", {}))
    async with aclosing(run(tree, VariablePool(), scripted(), nodes=TYPES, limits=Limits(seconds=0.05))) as events:
        async for event in events:
            if isinstance(event, TextChunk):
                await asyncio.sleep(0.1)
    assert isinstance(event, RunFailed) and "longer than 0.05 seconds" in event.message
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0


async def test_time_that_is_over_while_the_reader_is_busy_ends_the_run_when_the_reader_is_back() -> None:
    models = ScriptedModels(("one ", 60.0, "never"))
    tree = chain(("llm", "llm", LLM), ("answer", "answer", {"answer": "{{#llm.text#}}"}))
    began = time.monotonic()
    async with aclosing(
        run(tree, VariablePool(), Ports(models, KeptFiles()), nodes=TYPES, limits=Limits(seconds=0.05))
    ) as events:
        async for event in events:
            if isinstance(event, TextChunk):
                await asyncio.sleep(0.1)
    assert isinstance(event, RunFailed) and models.closed == 1 and time.monotonic() - began < 1


@pytest.mark.parametrize("beside", [[], [("other", "act", {"seconds": 60})]])
async def test_a_node_that_makes_an_error_of_the_interruption_ends_the_run_all_the_same(beside: list[Any]) -> None:
    deaf = ("deaf", "deaf", {"seconds": 60, **FALLBACK})
    tree = graph(("start", "start", {}), deaf, *beside, edges=[f"start -> {name}" for name, _, _ in (deaf, *beside)])
    last = (await events_of(tree, scripted(), limits=Limits(seconds=0.05)))[-1]
    assert isinstance(last, RunFailed) and "longer than 0.05 seconds" in last.message
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0


async def test_a_run_that_is_in_time_leaves_no_timer() -> None:
    loop = asyncio.get_running_loop()
    before = [each for each in loop._scheduled if not each.cancelled()]  # type: ignore[attr-defined]
    await events_of(chain(("a", "act", {})), scripted(), limits=Limits(seconds=100))
    assert [each for each in loop._scheduled if not each.cancelled()] == before  # type: ignore[attr-defined]


async def test_outputs_that_are_too_large_fail_their_node() -> None:
    tree = chain(("a", "act", {"value": {"deep": ["x" * 100]}}))
    last = (await events_of(tree, scripted(), limits=Limits(output_size=50)))[-1]
    assert isinstance(last, RunFailed) and last.node_id == "a" and "50 characters" in last.message


async def test_a_variable_that_is_too_large_is_not_told_as_assigned() -> None:
    tree = chain(("a", "act", {"assign": {"conversation.x": "x" * 100}, **FALLBACK}))
    events = await events_of(tree, scripted(), limits=Limits(variable_size=50))
    end = next(event for event in events if isinstance(event, NodeFinished) and event.node_id == "a")
    assert "conversation.x is larger than 50" in (end.error or "") and list(end.assigned) == []


@pytest.mark.parametrize(
    ("value", "larger"),
    [
        ("x" * 11, True),
        ("x" * 10, False),
        (["x" * 5, "y" * 5], True),
        ({"a": {"b": "x" * 9}}, True),
        (12345678901234, False),
        (None, False),
    ],
)
def test_the_size_of_a_value_is_its_text_and_its_parts(value: Any, larger: bool) -> None:
    assert is_larger(value, 10) is larger


async def test_workflows_may_call_each_other_only_so_deep() -> None:
    tree = chain(("a", "act", {}))
    last = (await events_of(tree, scripted(), state=RunState(depth=6)))[-1]
    assert isinstance(last, RunFailed) and "more than 5 deep" in last.message
    assert isinstance((await events_of(tree, scripted(), state=RunState(depth=5)))[-1], RunFinished)


async def test_a_graph_of_ten_thousand_nodes_is_walked_and_skipped_in_bounded_time() -> None:
    count = 10_000
    nodes = [NodeSpec("start", "start"), NodeSpec("if", "echo", data={"handle": "yes"}), NodeSpec("yes", "echo")]
    nodes += [NodeSpec(f"n{index}", "echo") for index in range(count)]
    edges = [Edge("start", "if"), Edge("if", "yes", "yes"), Edge("if", "n0", "no")]
    edges += [Edge(f"n{index}", f"n{index + 1}") for index in range(count - 1)]
    began = time.process_time()
    last = (await events_of(Graph(nodes, edges), scripted()))[-1]
    assert isinstance(last, RunFinished) and last.total_steps == 3
    assert time.process_time() - began < 3


async def test_a_graph_of_thousands_of_answers_and_branches_is_prepared_in_bounded_time() -> None:
    nodes, edges, before = [NodeSpec("start", "start")], [], "start"
    for index in range(3_000):
        nodes += [NodeSpec(f"i{index}", "echo", data={"handle": "a"}), NodeSpec(f"a{index}", "answer", data={"answer": "x"})]
        edges += [Edge(before, f"i{index}"), Edge(f"i{index}", f"a{index}", "a"), Edge(f"i{index}", f"a{index}", "b")]
        before = f"a{index}"
    began = time.process_time()
    last = (await events_of(Graph(nodes, edges), scripted(), limits=Limits(steps=500)))[-1]
    assert isinstance(last, RunFailed) and "500 steps" in last.message
    assert time.process_time() - began < 5


def test_a_bomb_of_containers_in_containers_is_refused() -> None:
    rows = [{"id": "start", "data": {"type": "start"}}]
    for depth in range(1_000):
        data = {"type": "loop", "loop_count": 100} | ({"loop_id": f"l{depth - 1}"} if depth else {})
        rows.append({"id": f"l{depth}", "data": data})
    with pytest.raises(GraphError, match="nested deeper than 8"):
        parse({"nodes": rows, "edges": [{"source": "start", "target": "l0"}]})


def test_a_container_that_stands_in_itself_is_refused() -> None:
    rows = [
        {"id": "start", "data": {"type": "start"}},
        {"id": "a", "data": {"type": "loop", "loop_id": "b"}},
        {"id": "b", "data": {"type": "loop", "loop_id": "a"}},
    ]
    with pytest.raises(GraphError, match="nested"):
        BoundGraph(parse({"nodes": rows, "edges": []}), TYPES)


async def test_a_long_chain_lets_others_work_in_between() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(tick())
    await events_of(chain(*((f"n{index}", "echo", {}) for index in range(300))), scripted())
    task.cancel()
    assert ticks > 5
