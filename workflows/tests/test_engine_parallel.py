"""Branches run at the same time, joins wait, and when one fails or the reader leaves, all of them end at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import pytest

from difyproj.kernel.errors import CompletionRequestError
from difyproj.model_runtime.base import ModelRequest
from difyproj.testing.fakes import KeptFiles, Script, ScriptedModels, scripted, visible
from workflows.engine.events import NodeFinished, NodeStarted, RunEvent, RunFailed, RunFinished, TextChunk
from workflows.engine.fan import Fan
from workflows.engine.graph import Graph
from workflows.engine.limits import Limits
from workflows.engine.pool import VariablePool
from workflows.engine.ports import Ports
from workflows.engine.walk import run

from .acting import CLOSED, RAN, TOGETHER
from .graphs import LLM, TYPES, events_of, graph, short
from .graphs_inside import exported, iteration


def fan_out(count: int, **data: object) -> Graph:
    """start, ``count`` nodes side by side, and one that joins them."""
    names = [f"n{index}" for index in range(count)]
    edges = [edge for name in names for edge in (f"start -> {name}", f"{name} -> join")]
    return graph(("start", "start", {}), *((name, "act", data) for name in names), ("join", "act", {}), edges=edges)


def ended(events: list[RunEvent], status: str) -> list[str]:
    return [event.node_id for event in events if isinstance(event, NodeFinished) and event.status == status]


async def test_branches_run_at_the_same_time_and_a_join_runs_once_after_all() -> None:
    began = time.monotonic()
    events = await events_of(fan_out(20, seconds=0.1), scripted())
    assert time.monotonic() - began < 1
    assert ended(events, "succeeded")[-1] == "join" and RAN.count("join") == 1
    assert max(TOGETHER) == 20
    assert isinstance(events[-1], RunFinished) and events[-1].total_steps == 22


async def test_no_more_nodes_run_at_once_than_the_width_allows() -> None:
    events = await events_of(fan_out(12, seconds=0.01), scripted(), limits=Limits(width=3))
    assert max(TOGETHER) == 3
    assert isinstance(events[-1], RunFinished) and RAN.count("join") == 1


async def test_a_failing_branch_stops_its_siblings_and_leaves_no_task_behind() -> None:
    models = ScriptedModels(("one ", 60.0, "never"))
    tree = graph(
        ("start", "start", {}),
        ("talk", "llm", LLM),
        ("wait", "act", {"seconds": 60}),
        ("bad", "act", {"seconds": 0.05, "fails": -1}),
        ("after", "act", {}),
        edges=["start -> talk", "start -> wait", "start -> bad", "wait -> after", "bad -> after"],
    )
    before = asyncio.all_tasks()
    began = time.monotonic()
    events = await events_of(tree, Ports(models, KeptFiles()))
    assert time.monotonic() - began < 1
    assert models.closed == 1 and CLOSED == ["wait"] and asyncio.all_tasks() == before
    assert ended(events, "failed") == ["bad"] and sorted(ended(events, "stopped")) == ["talk", "wait"]
    last = events[-1]
    assert isinstance(last, RunFailed) and (last.node_id, last.message, last.code) == (
        "bad",
        "It broke.",
        "completion_request_error",
    )
    assert "after" not in RAN


async def test_closing_a_run_closes_all_its_branches_within_a_second() -> None:
    models = ScriptedModels(("one ", 60.0, "never"))
    tree = graph(
        ("start", "start", {}),
        ("a", "llm", LLM),
        ("b", "llm", LLM),
        ("c", "act", {"seconds": 60}),
        ("end", "answer", {"answer": "{{#a.text#}}"}),
        edges=["start -> a", "start -> b", "start -> c", "a -> end", "b -> end", "c -> end"],
    )
    before = asyncio.all_tasks()
    began = time.monotonic()
    async with aclosing(run(tree, VariablePool(), Ports(models, KeptFiles()), nodes=TYPES)) as events:
        async for event in events:
            if isinstance(event, TextChunk):
                await asyncio.sleep(0.01)
                break
    assert time.monotonic() - began < 1
    assert models.closed == 2 and CLOSED == ["c"] and asyncio.all_tasks() == before


async def test_cancelling_the_task_that_reads_closes_all_branches() -> None:
    tree = fan_out(5, seconds=60)
    before = asyncio.all_tasks()
    task = asyncio.create_task(events_of(tree, scripted()))
    while len(RAN) < 5:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(CLOSED) == 5 and asyncio.all_tasks() == before


def _poets(request: ModelRequest) -> Script:
    """The second one is asked to wait; its text comes later."""
    return (0.05, "slow ", "words") if "second" in str(request.messages[-1].content) else ("fast ", 0.0, "words")


def _talker(text: str) -> dict[str, object]:
    return {**LLM, "prompt_template": [{"role": "user", "text": text}]}


async def test_text_of_parallel_models_keeps_the_order_of_the_template() -> None:
    tree = graph(
        ("start", "start", {}),
        ("one", "llm", _talker("first")),
        ("two", "llm", _talker("second")),
        ("answer", "answer", {"answer": "{{#two.text#}} | {{#one.text#}}"}),
        edges=["start -> one", "start -> two", "one -> answer", "two -> answer"],
    )
    events = await events_of(tree, Ports(ScriptedModels(_poets), KeptFiles()))
    assert visible(events) == "slow words | fast words"
    texts = [event.selector[0] for event in events if isinstance(event, TextChunk)]
    assert texts == ["two", "two", "answer", "one"]
    last = [index for index, event in enumerate(events) if isinstance(event, TextChunk)][-1]
    start = next(i for i, event in enumerate(events) if isinstance(event, NodeStarted) and event.node_id == "answer")
    assert last < start, "all of an answer's text comes before it begins"


async def test_of_two_unrelated_answers_the_one_that_has_something_to_say_speaks_first() -> None:
    tree = graph(
        ("start", "start", {}),
        ("talk", "llm", _talker("second")),
        ("if", "echo", {"handle": "true"}),
        ("known", "answer", {"answer": "It is known. "}),
        ("told", "answer", {"answer": "{{#talk.text#}}"}),
        edges=["start -> talk", "start -> if", "if:true -> known", "talk -> told"],
    )
    events = await events_of(tree, Ports(ScriptedModels(_poets), KeptFiles()))
    assert visible(events) == "It is known. slow words"
    last = events[-1]
    assert isinstance(last, RunFinished) and last.outputs["answer"] == last.answer == "It is known. slow words"


async def test_an_answer_never_speaks_before_the_answers_on_its_way() -> None:
    tree = graph(
        ("start", "start", {}),
        ("talk", "llm", _talker("second")),
        ("one", "answer", {"answer": "{{#talk.text#}}, "}),
        ("two", "answer", {"answer": "and that was all"}),
        edges=["start -> talk", "talk -> one", "one -> two"],
    )
    assert visible(await events_of(tree, Ports(ScriptedModels(_poets), KeptFiles()))) == "slow words, and that was all"


async def test_an_untaken_branch_is_skipped_through_to_the_join() -> None:
    tree = graph(
        ("start", "start", {}),
        ("if", "echo", {"handle": "true"}),
        ("one", "act", {"value": "Code 1"}),
        ("two", "act", {"value": "Code 2"}),
        ("three", "act", {"value": "Code 3"}),
        (
            "end",
            "end",
            {"outputs": [{"variable": name, "value_selector": [name, "value"]} for name in ("one", "two", "three")]},
        ),
        edges=[
            "start -> if",
            "if:true -> one",
            "if:true -> two",
            "if:false -> three",
            "one -> end",
            "two -> end",
            "three -> end",
        ],
    )
    last = (await events_of(tree, scripted()))[-1]
    assert isinstance(last, RunFinished)
    assert last.outputs == {"one": "Code 1", "two": "Code 2", "three": None}


def _rounds(**data: Any) -> Graph:
    return iteration(("one", "act", {}), output_selector=["one", "text"], **data)


def _beside() -> Graph:
    """An iteration that runs beside another node."""
    inner: list[tuple[str, str, Mapping[str, object]]] = [("first", "iteration-start", {}), ("one", "act", {})]
    each = ("each", "iteration", {"iterator_selector": ["start", "items"], "output_selector": ["one", "text"]})
    nodes = [("start", "start", {}), each, *inner, ("other", "act", {"seconds": 0.05})]
    return exported(nodes, ["start -> each", "first -> one", "start -> other"], each=["first", "one"])


@pytest.mark.parametrize("tree", [fan_out(2), _rounds(), _rounds(is_parallel=True), _beside()])
async def test_a_node_begins_only_once_its_start_was_taken(tree: Graph) -> None:
    began = 0
    async with aclosing(run(tree, VariablePool({"inputs": {"items": [1, 2]}}), scripted(), nodes=TYPES)) as events:
        async for event in events:
            if isinstance(event, NodeStarted) and event.node_type == "act":
                began += 1
                await asyncio.sleep(0.005)
                assert len(RAN) < began, f"{event.node_id} ran before anybody could keep its start"
    assert len(RAN) == began


async def test_an_assigned_variable_is_told_with_the_node_that_assigned_it() -> None:
    tree = graph(
        ("start", "start", {}),
        ("a", "act", {"assign": {"conversation.x": 1}}),
        ("b", "act", {"assign": {"conversation.y": 2}}),
        ("c", "act", {}),
        edges=["start -> a", "start -> b", "start -> c"],
    )
    events = await events_of(tree, scripted())
    told = {
        event.node_id: [(each.scope, each.name, each.value) for each in event.assigned]
        for event in events
        if isinstance(event, NodeFinished)
    }
    assert told == {"start": [], "a": [("conversation", "x", 1)], "b": [("conversation", "y", 2)], "c": []}


async def test_an_answer_that_shows_an_assigned_variable_waits_for_the_assignment() -> None:
    assigner = {"version": "2", "items": [_over_write()]}
    tree = graph(
        ("start", "start", {}),
        ("set", "assigner", assigner),
        ("answer", "answer", {"answer": "Now: {{#conversation.word#}}"}),
        edges=["start -> set", "set -> answer"],
    )
    events = await events_of(tree, scripted(), query="new", conversation={"word": "old"})
    assert short(events) == "+start -start +set 'Now: ' 'new' -set +answer -answer RunFinished"


def _over_write() -> dict[str, object]:
    return {
        "variable_selector": ["conversation", "word"],
        "operation": "over-write",
        "input_type": "variable",
        "value": ["sys", "query"],
    }


async def test_a_failed_run_keeps_the_outputs_so_far() -> None:
    tree = graph(
        ("start", "start", {}),
        ("end", "end", {"outputs": [{"variable": "q", "value_selector": ["sys", "query"]}]}),
        ("bad", "act", {"fails": -1, "seconds": 0.01}),
        edges=["start -> end", "start -> bad"],
    )
    last = (await events_of(tree, scripted(), query="hello"))[-1]
    assert isinstance(last, RunFailed) and last.outputs == {"q": "hello"} and last.total_steps == 3


async def test_a_model_error_in_a_branch_ends_the_run_with_its_code() -> None:
    tree = graph(("start", "start", {}), ("a", "llm", LLM), ("b", "act", {"seconds": 60}), edges=["start -> a", "start -> b"])
    last = (await events_of(tree, scripted("x", CompletionRequestError("On fire."))))[-1]
    assert isinstance(last, RunFailed) and (last.code, last.node_id) == ("completion_request_error", "a")


@pytest.mark.parametrize("waiting", [0, 100])
async def test_a_stream_that_breaks_is_told_to_who_reads_and_the_others_are_ended(waiting: int) -> None:
    async def broken() -> AsyncGenerator[int, None]:
        for number in range(waiting):
            yield number
        raise KeyError("broken")

    async def endless() -> AsyncGenerator[int, None]:
        try:
            await asyncio.sleep(60)
            yield 0
        finally:
            closed.append(True)

    closed: list[bool] = []
    fan: Fan[str, int] = Fan()
    fan.add("endless", endless())
    fan.add("broken", broken())
    with pytest.raises(KeyError):
        for _ in range(waiting + 1):
            await fan.get()
    await fan.close()
    assert closed == [True] and asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_stream_that_loses_one_cancellation_is_cancelled_again() -> None:
    lost: list[bool] = []

    async def stubborn() -> AsyncGenerator[int, None]:
        yield 0
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            lost.append(True)
        await asyncio.sleep(60)

    fan: Fan[str, int] = Fan()
    fan.add("stubborn", stubborn())
    assert await fan.get() == ("stubborn", 0)
    await asyncio.sleep(0.01)
    began = time.monotonic()
    await fan.close()
    assert lost == [True] and time.monotonic() - began < 1
