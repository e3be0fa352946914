"""A process that ends in the midst of a graph: another one goes on with what is left, and readers miss and repeat nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from apps.generation import graph_resume, graph_rows, live, places, reaper
from apps.generation.ledger import Portion
from apps.models import Message, Run
from difyproj.infra import backends
from difyproj.infra.backends import get_slots
from difyproj.kernel import ids
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from workflows.models import NodeExecution, Workflow

from .flows import Asked, answer, ask, end, llm, make_flow, names, row, start
from .restart import lose_logs

END = end(one=["first", "text"], two=["second", "text"])
SAID = {"advanced-chat": "ab and ab", "workflow": "ab\nab"}
TALK = row(start(), llm("first", "one"), llm("second", "two"), answer("{{#first.text#}} and {{#second.text#}}"))


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def said(asked: Asked, ending: str) -> None:
    """Until the run has said so much."""
    for _ in range(500):
        run = live.find(asked.run_id)
        if run is not None and run.state.answer.endswith(ending):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("The run does not come that far.")


async def then(house: Served, script: Script) -> None:
    """The model does so from its second request on."""
    while not house.upstream.requests:
        await asyncio.sleep(0.01)
    house.upstream.script = script


async def die(run_id: UUID) -> None:
    """The process that has the run is gone; its rows are as it left them."""
    run = live.find(run_id)
    assert run is not None and run.task is not None
    run.interrupt()
    await asyncio.wait((run.task,))
    await Run.objects.filter(pk=run_id).aupdate(process_id=ids.new_id())


async def until_over(run_id: UUID) -> Run:
    for _ in range(500):
        run = await Run.objects.aget(pk=run_id)
        if run.status not in ("running", "paused"):
            return run
        await asyncio.sleep(0.01)
    raise AssertionError(f"The run is still {run.status}.")


@pytest.mark.parametrize("is_remembered", [True, False])
async def test_a_chatflow_goes_on_with_what_is_left(house: Served, is_remembered: bool) -> None:
    app = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    house.upstream.script = Script(tokens=["Hello"], first_delay=0.2)
    asked = await ask(app, query="Hi")
    reader = asyncio.create_task(asked.records())
    await then(house, Script(tokens=["wor", "ld"], delay=0.05, hang="end"))
    await said(asked, "world")
    await die(asked.run_id)
    if not is_remembered:
        await lose_logs()
    house.upstream.script = Script(tokens=["again"])
    await reaper.reap()
    run = await until_over(asked.run_id)
    assert run.status == "succeeded"
    heard = await asyncio.wait_for(reader, 10)
    assert [number for number, _ in heard] == sorted(number for number, _ in heard)
    assert names(heard).count("node_started") == names(heard).count("node_finished") == 4
    assert names(heard)[-2:] == ["message_end", "workflow_finished"]
    message = await Message.objects.aget(run_id=asked.run_id)
    assert shown(heard) == message.answer == "Hello and again"
    assert await NodeExecution.objects.filter(run_id=asked.run_id).acount() == 4


@pytest.mark.parametrize("mode", ["advanced-chat", "workflow"])
async def test_a_process_may_end_after_any_of_its_transactions(
    house: Served, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept is not done again, what is not kept is; readers with the log, without it, and late ones hear the same."""
    graph = TALK if mode == "advanced-chat" else row(start(), llm("first", "one"), llm("second", "two"), END)
    app = await sync_to_async(make_flow)(house.cast.alice, graph, mode)
    house.upstream.script = Script(tokens=["a", "b"], first_delay=0.03, delay=0.03)
    for cut in range(3):
        with monkeypatch.context() as patch:
            _end_after(patch, cut)
            asked = await ask(app, query="Hi")
            reader = asyncio.create_task(asked.records())
            await left(asked.run_id)
        kept = {one.pk async for one in NodeExecution.objects.filter(run_id=asked.run_id, status="succeeded")}
        await Run.objects.filter(pk=asked.run_id).aupdate(process_id=ids.new_id())
        if cut % 2:
            await lose_logs()
        await reaper.reap()
        assert (await until_over(asked.run_id)).status == "succeeded"
        heard = await asyncio.wait_for(reader, 10)
        whole = await asked.records()
        for records in (heard, whole):
            boundaries = [name for name in names(records) if name.startswith(("node", "workflow"))]
            assert boundaries == ["workflow_started", *["node_started", "node_finished"] * 4, "workflow_finished"], cut
            assert shown(records) == SAID[mode], cut
        assert kept <= {one.pk async for one in NodeExecution.objects.filter(run_id=asked.run_id)}
        assert await NodeExecution.objects.filter(run_id=asked.run_id).acount() == 4


def _end_after(patch: pytest.MonkeyPatch, cut: int) -> None:
    """The process ends after ``cut`` transactions: what it hands in afterwards is not kept."""
    save, count = graph_rows.save, [0]

    def counting(portions: Sequence[Portion]) -> list[bool]:
        count[0] += 1
        if count[0] > cut:
            return [False] * len(portions)
        return save(portions)

    patch.setattr(graph_rows, "save", counting)


async def left(run_id: UUID) -> None:
    """Until this process has nothing to do with the run any more."""
    for _ in range(500):
        if live.find(run_id) is None and await Run.objects.filter(pk=run_id, status="running").aexists():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("The run ended before the process did.")


def shown(records: Sequence[tuple[int, Mapping[str, Any]]]) -> str:
    """The text that a reader ends with."""
    text = ""
    for _, record in records:
        match record:
            case {"event": "message", "answer": more} | {"event": "text_chunk", "data": {"text": more}}:
                text += more
            case {"event": "message_replace", "answer": whole} | {"event": "text_replace", "data": {"text": whole}}:
                text = whole
    return text


async def test_a_run_that_takes_every_process_with_it_is_ended(house: Served) -> None:
    app = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    house.upstream.script = Script(hang="before")
    asked = await ask(app, query="Hi")
    for _ in range(graph_resume.MOST_TAKEOVERS + 1):
        while live.find(asked.run_id) is None:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await die(asked.run_id)
        await reaper.reap()
    run = await until_over(asked.run_id)
    assert (run.status, run.error_code) == ("failed", "worker_lost")
    assert names(await asked.records())[-2:] == ["workflow_finished", "error"]


async def test_a_run_whose_version_is_gone_is_ended(house: Served) -> None:
    app = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    house.upstream.script = Script(hang="before")
    asked = await ask(app, query="Hi")
    while house.upstream.requests == 0:
        await asyncio.sleep(0.01)
    await die(asked.run_id)
    await Workflow.objects.filter(app=app).adelete()
    await reaper.reap()
    run = await until_over(asked.run_id)
    assert (run.status, run.error_code) == ("failed", "app_unavailable")


async def test_who_lost_a_run_does_not_give_back_the_place_of_who_has_it(house: Served) -> None:
    app = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    house.upstream.script = Script(hang="before")
    asked = await ask(app, query="Hi")
    await then(house, Script(hang="before"))
    before = live.find(asked.run_id)
    assert before is not None
    await die(asked.run_id)
    before.owner = (await Run.objects.aget(pk=asked.run_id)).process_id
    await reaper.reap()
    await sync_to_async(places.give_back)(before)
    assert get_slots().active(places.slot_key(app.pk)) == 1
    await die(asked.run_id)
    assert get_slots().active(places.slot_key(app.pk)) == 0
