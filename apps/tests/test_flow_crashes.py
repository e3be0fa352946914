"""A process that ends in the midst of a graph: another one goes on with what is left, and readers miss and repeat nothing."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async

from apps.generation import live, reaper
from apps.models import Message, Run
from difyproj.infra import backends
from difyproj.kernel import ids
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from workflows.models import NodeExecution

from .flows import Asked, answer, ask, llm, make_flow, names, row, start
from .restart import lose_logs

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
    text = ""
    for _, record in heard:
        if record["event"] == "message_replace":
            text = record["answer"]
        elif record["event"] == "message":
            text += record["answer"]
    message = await Message.objects.aget(run_id=asked.run_id)
    assert text == message.answer == "Hello and again"
    assert await NodeExecution.objects.filter(run_id=asked.run_id).acount() == 4
