"""Runs of graphs behind the door: what readers see, and what the rows hold."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from apps.models import Conversation, Message, Run, RunStatus
from difyproj.infra import backends
from difyproj.kernel.errors import InvalidParam
from difyproj.testing.served import Served
from workflows.models import NodeExecution, WorkflowRun

from .flows import ECHO, answer, ask, llm, make_flow, names, row, start
from .restart import lose_logs


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


async def test_a_workflow_is_kept_node_by_node(house: Served) -> None:
    app = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    asked = await ask(app, inputs={"word": "hello"})
    records = await asked.records()
    assert names(records) == [
        "workflow_started", "node_started", "text_chunk", "node_finished", "node_started", "node_finished",
        "workflow_finished",
    ]  # fmt: skip
    assert [number for number, _ in records] == sorted({number for number, _ in records})
    assert records[-1][1]["data"]["outputs"] == {"said": "hello"}
    run = await Run.objects.aget(pk=asked.run_id)
    assert (run.status, run.last_event_id) == (RunStatus.SUCCEEDED, records[-1][0])
    flow = await WorkflowRun.objects.aget(pk=asked.run_id)
    assert (flow.outputs, flow.total_steps, flow.triggered_from) == ({"said": "hello"}, 2, "app-run")
    nodes = [one async for one in NodeExecution.objects.filter(run_id=asked.run_id)]
    assert [(one.node_id, one.status) for one in nodes] == [("start", "succeeded"), ("end", "succeeded")]


async def test_an_input_that_the_start_does_not_take_is_refused_before_anything_is_written(house: Served) -> None:
    app = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    with pytest.raises(InvalidParam, match="word is required"):
        await ask(app)
    assert not await Run.objects.aexists()


async def test_a_chatflow_is_a_message_and_a_run(house: Served) -> None:
    graph = row(start(), llm(), answer("{{#llm.text#}}"))
    app = await sync_to_async(make_flow)(house.cast.alice, graph, "advanced-chat")
    asked = await ask(app, query="Hi")
    body = await asked.whole()
    message = await Message.objects.aget(run_id=asked.run_id)
    assert (body["answer"], body["mode"], body["message_id"]) == (message.answer, "advanced-chat", str(message.pk))
    assert await Conversation.objects.filter(pk=message.conversation_id).acount() == 1
    assert await NodeExecution.objects.filter(run_id=asked.run_id, status="succeeded").acount() == 3


async def test_ids_only_grow_for_whoever_comes_back_to_a_chatflow_that_has_ended(house: Served) -> None:
    """Its text, rebuilt, and the first of its two last records each have an id of their own."""
    app = await sync_to_async(make_flow)(house.cast.alice, row(start(), llm(), answer("{{#llm.text#}}")), "advanced-chat")
    asked = await ask(app, query="Hi")
    live = await asked.records()
    end = live[-1][0]
    await lose_logs()
    for after in range(end):
        again = await asked.records(after=after)
        numbers = [number for number, _ in again]
        assert numbers == sorted(set(numbers)) and numbers[0] > after
        assert (numbers[-1], again[-1][1]) == live[-1]
        assert ("message_end" in names(again)) == (after < end - 1)
        assert {"message", "message_replace"} & {*names(again)} or after >= end - 2
