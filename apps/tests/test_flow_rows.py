"""Rows of graphs' runs: written for many runs at once, whatever nodes give, and by the process that has the run only."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from apps.generation import graph_record, graph_rows, live
from apps.generation.ledger import Ledger, Portion
from apps.generation.live import LiveRun
from apps.models import Run
from difyproj.infra import backends, db
from difyproj.kernel import ids
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from workflows.engine.node import NEVER_AGAIN, Done, NodeContext, NodeStream
from workflows.models import NodeExecution, WorkflowRun
from workflows.nodes.variable_aggregator import VariableAggregatorNode

from .flows import ECHO, ask, end, llm, make_flow, names, node, row, start, text_input
from .test_flow_crashes import said, until_over

ODD = {"text": "a\0b\ud800", "none": float("nan"), "large": 2**70, "deep": {"1": [1, b"x"]}}


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def test_what_no_database_keeps_is_kept_as_far_as_it_can_be(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def odd(self: VariableAggregatorNode, ctx: NodeContext[Any]) -> NodeStream:
        yield Done(outputs={"output": ODD}, inputs=ODD)

    monkeypatch.setattr(VariableAggregatorNode, "run", odd)
    graph = row(start(), node("odd", "variable-aggregator", variables=[]), end(odd=["odd", "output"]))
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, graph))
    assert names(await asked.records())[-1] == "workflow_finished"
    kept = await NodeExecution.objects.aget(run_id=asked.run_id, node_id="odd")
    assert kept.outputs is not None
    assert (kept.outputs["output"]["text"], kept.outputs["output"]["none"]) == ("ab?", None)
    assert (await Run.objects.aget(pk=asked.run_id)).status == "succeeded"


@pytest.mark.parametrize(("value", "nearest"), [(2**70, 2.0**70), (-(10**400), -sys.float_info.max)], ids=["large", "huge"])
async def test_a_number_that_no_event_holds_is_the_nearest_one(house: Served, value: int, nearest: float) -> None:
    """JSON has such numbers, so whoever asks may bring one. PostgreSQL gives a whole one back without its exponent."""
    graph = row(start({"variable": "n", "label": "n", "type": "number", "required": True}), end(n=["start", "n"]))
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, graph), inputs={"n": value})
    heard = await asked.records()
    assert names(heard)[0] == "workflow_started"
    assert heard[-1][1]["data"]["outputs"] == {"n": nearest}
    assert (await Run.objects.aget(pk=asked.run_id)).status == "succeeded"
    kept = (await WorkflowRun.objects.aget(pk=asked.run_id)).outputs or {}
    assert float(kept["n"]) == nearest


async def test_one_run_that_cannot_be_written_does_not_hold_up_the_others(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = graph_rows.save

    def choosy(portions: Sequence[Portion]) -> list[bool]:
        if any(event.node_id == "end" for one in portions for _, event in one.boundaries if hasattr(event, "node_id")):
            bad = [one for one in portions if one.reply.app_id == broken.pk]
            if bad and any(one.boundaries for one in bad):
                raise ValueError("No row takes this.")
        return save(portions)

    good, broken = [await sync_to_async(make_flow)(house.cast.alice, ECHO) for _ in range(2)]
    monkeypatch.setattr(graph_rows, "save", choosy)
    asked = [await ask(app, inputs={"word": "x"}) for app in (good, broken, good)]
    ends = [(await until_over(one.run_id)).status for one in asked]
    assert ends == ["succeeded", "failed", "succeeded"]
    assert (await asked[1].whole())["data"]["status"] == "failed"


async def test_one_run_that_cannot_be_shown_does_not_hold_up_the_others(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Ledger.kept

    def choosy(self: Ledger, run: LiveRun) -> None:
        if run.reply.app_id == broken.pk:
            raise ValueError("No log takes this.")
        kept(self, run)

    good, broken = [await sync_to_async(make_flow)(house.cast.alice, ECHO) for _ in range(2)]
    monkeypatch.setattr(Ledger, "kept", choosy)
    asked = [await ask(app, inputs={"word": "x"}) for app in (good, broken, good)]
    for one in (asked[0], asked[2]):
        assert (await until_over(one.run_id)).status == "succeeded"
    async with asyncio.timeout(5):
        while live.find(asked[1].run_id) is not None:
            await asyncio.sleep(0.01)


async def test_a_database_that_is_away_is_waited_for(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    save, failures = graph_rows.save, [3]

    def failing(portions: Sequence[Portion]) -> list[bool]:
        if failures[0]:
            failures[0] -= 1
            raise OperationalError("The server closed the connection.")
        return save(portions)

    monkeypatch.setattr(graph_rows, "save", failing)
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, ECHO), inputs={"word": "x"})
    assert (await asked.whole())["data"]["status"] == "succeeded"
    assert failures == [0]


async def test_a_transaction_whose_answer_was_lost_is_not_written_twice(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    save, lost = graph_rows.save, [2]

    def losing(portions: Sequence[Portion]) -> list[bool]:
        kept = save(portions)
        if lost[0]:
            lost[0] -= 1
            raise OperationalError("The server closed the connection.")
        return kept

    monkeypatch.setattr(graph_rows, "save", losing)
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, ECHO), inputs={"word": "x"})
    records = await asked.records()
    assert names(records)[-1] == "workflow_finished" and records[-1][1]["data"]["status"] == "succeeded"
    assert await NodeExecution.objects.filter(run_id=asked.run_id).acount() == 2


async def test_a_process_writes_nothing_of_a_run_that_another_one_has(house: Served) -> None:
    house.upstream.script = Script(tokens=["One"], delay=0.05, hang="end")
    app = await sync_to_async(make_flow)(house.cast.alice, row(start(), llm(text="x"), end(text=["llm", "text"])))
    asked = await ask(app)
    await said(asked, "One")
    run = live.find(asked.run_id)
    assert run is not None and run.task is not None
    await Run.objects.filter(pk=asked.run_id).aupdate(process_id=ids.new_id())
    before = [one async for one in NodeExecution.objects.values()]
    run.stop()
    await asyncio.wait((run.task,))
    assert [one async for one in NodeExecution.objects.values()] == before
    assert (await Run.objects.aget(pk=asked.run_id)).status == "running"
    assert (await WorkflowRun.objects.aget(pk=asked.run_id)).outputs is None


async def test_runs_that_wait_for_the_database_together_are_written_together(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, sizes = graph_rows.save, list[int]()

    def counting(portions: Sequence[Portion]) -> list[bool]:
        sizes.append(len(portions))
        return save(portions)

    monkeypatch.setattr(graph_rows, "save", counting)
    app = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    asked = await asyncio.gather(*(ask(app, inputs={"word": str(number)}) for number in range(30)))
    for number, one in enumerate(asked):
        assert (await one.whole())["data"]["outputs"] == {"said": str(number)}
    assert len(sizes) < 60


async def test_a_node_that_must_not_run_twice_begins_once_its_start_is_kept(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_before = list[int]()

    async def looking(self: VariableAggregatorNode, ctx: NodeContext[Any]) -> NodeStream:
        kept_before.append(await db.run(NodeExecution.objects.filter(pk=ctx.execution_id, status="running").count))
        yield Done(outputs={"output": "once"})

    monkeypatch.setattr(VariableAggregatorNode, "run", looking)
    monkeypatch.setattr(VariableAggregatorNode, "repeats", NEVER_AGAIN)
    graph = row(start(), node("once", "variable-aggregator", variables=[]), end(said=["once", "output"]))
    asked = await ask(await sync_to_async(make_flow)(house.cast.alice, graph))
    assert (await asked.whole())["data"]["outputs"] == {"said": "once"}
    assert kept_before == [1]


async def test_a_run_waits_for_the_database_when_much_of_it_waits_to_be_kept(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, is_back = graph_rows.save, Event()

    def late(portions: Sequence[Portion]) -> list[bool]:
        is_back.wait(10)
        return save(portions)

    monkeypatch.setattr(graph_rows, "save", late)
    monkeypatch.setattr(graph_record, "LARGEST_QUEUE", 1_000)
    steps = [node(f"n{number}", "variable-aggregator", variables=[["start", "word"]]) for number in range(9)]
    app = await sync_to_async(make_flow)(house.cast.alice, row(start(text_input("word", max_length=None)), *steps, end()))
    asked = await ask(app, inputs={"word": "a" * 5_000})
    run = live.find(asked.run_id)
    assert run is not None and run.ledger is not None
    while run.ledger.size < graph_record.LARGEST_QUEUE:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    assert len(run.ledger.queue) < 4 and run.state.steps < 3
    is_back.set()
    assert (await until_over(asked.run_id)).status == "succeeded"
    assert run.ledger.size == 0 and not run.ledger.sizes
