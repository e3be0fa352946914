"""Drafts tried over the Console API: as a whole, node by node, with the people they ask."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from apps.models import Message, Run
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.flows import ASKING, ECHO, TALK, make_flow
from difyproj.testing.served import Key, Served
from difyproj.testing.upstream import Script
from workflows.models import HumanInputForm, NodeExecution, WorkflowRun
from workflows.services import drafts, graphs

LOUD = {**ECHO, "nodes": [ECHO["nodes"][0], {**ECHO["nodes"][1], "data": {"type": "end", "title": "Loud", "outputs": []}}]}


@pytest.fixture
async def bob(house: Served) -> TierClient:
    return await signed_in(house, house.cast.bob)


@pytest.fixture
async def flow(house: Served) -> Key:
    return await sync_to_async(make_flow)(house.cast.alice, ECHO)


def draft(key: Key) -> str:
    return f"/apps/{key.app.pk}/workflows/draft"


async def test_a_draft_runs_as_it_is_now(house: Served, bob: TierClient, flow: Key) -> None:
    await sync_to_async(drafts.save)(flow.app, by=None, given_hash=None, graph=LOUD)
    answer = await bob.post(f"{draft(flow)}/run", {"inputs": {"word": "hello"}})
    assert answer.headers["Content-Type"] == "text/event-stream"
    records = [frame.record for frame in answer.frames]
    assert (records[0]["event"], records[-1]["event"]) == ("workflow_started", "workflow_finished")
    assert records[-1]["data"]["created_by"]["email"] == "bob@acme.example"
    row = await WorkflowRun.objects.select_related("run").aget(pk=records[0]["workflow_run_id"])
    assert (row.version, row.triggered_from, row.graph, row.run.tier) == ("draft", "debugging", LOUD, "console")
    place = f"/workflow/{row.pk}/events"
    assert [frame.event for frame in (await bob.get(place)).frames] == ["workflow_finished"]
    alice = await signed_in(house, house.cast.alice)
    assert (await alice.get(place)).status == 404
    refused = await bob.post(f"{draft(flow)}/run", {"inputs": {}})
    assert (refused.status, refused.json()["code"]) == (400, "invalid_param")


async def test_a_draft_of_a_chatflow_is_talked_with(house: Served, bob: TierClient, flow: Key) -> None:
    chat = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    place = f"/apps/{chat.app.pk}/advanced-chat/workflows/draft/run"
    first = (await bob.post(place, {"query": "One?"})).frames
    assert [frame.event for frame in first][-2:] == ["message_end", "workflow_finished"]
    talk = first[0].record["conversation_id"]
    second = (await bob.post(place, {"query": "Two?", "conversation_id": talk})).frames
    assert second[0].record["conversation_id"] == talk
    assert await Message.objects.filter(conversation_id=talk).acount() == 2
    wrong = await bob.post(f"/apps/{flow.app.pk}/advanced-chat/workflows/draft/run", {"query": "x"})
    assert (wrong.status, wrong.json()["code"]) == (404, "app_not_found")
    debugged = (await bob.post(f"/apps/{chat.app.pk}/chat-messages", {"inputs": {}, "query": "Three?"})).json()
    assert (await WorkflowRun.objects.aget(pk=debugged["task_id"])).version == "draft"


async def test_questions_follow_by_the_draft(house: Served, bob: TierClient) -> None:
    chat = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    place = f"/apps/{chat.app.pk}"
    frames = (await bob.post(f"{place}/advanced-chat/workflows/draft/run", {"query": "One?"})).frames
    suggested = f"{place}/chat-messages/{frames[0].record['message_id']}/suggested-questions"
    assert (await bob.get(suggested)).json()["code"] == "app_suggested_questions_after_answer_disabled"
    await bob.post(f"{draft(chat)}/features", {"features": {"suggested_questions_after_answer": {"enabled": True}}})
    house.upstream.script = Script(tokens=('["Why?", "How?"]',))
    assert (await bob.get(suggested)).json() == {"data": ["Why?", "How?"]}


async def test_a_node_runs_alone_and_its_last_run_is_kept(bob: TierClient, flow: Key) -> None:
    place = f"{draft(flow)}/nodes/end"
    assert (await bob.get(f"{place}/last-run")).status == 404
    ran = (await bob.post(f"{place}/run", {"inputs": {"start.word": "hello"}})).json()
    assert (ran["status"], ran["outputs"], ran["node_id"]) == ("succeeded", {"said": "hello"}, "end")
    assert ran["created_by_account"]["email"] == "bob@acme.example"
    assert (await bob.get(f"{place}/last-run")).json() == ran
    row = await NodeExecution.objects.aget(pk=ran["id"])
    assert (row.triggered_from, row.run_id) == ("single-step", None)
    assert (await bob.post(f"{draft(flow)}/nodes/nobody/run")).status == 404


async def test_a_form_is_previewed_without_asking_anybody(house: Served, bob: TierClient) -> None:
    asking = await sync_to_async(make_flow)(house.cast.alice, ASKING)
    place = f"{draft(asking)}/human-input/nodes/ask/form/preview"
    form = (await bob.post(place, {"inputs": {"start.word": "hello"}})).json()
    assert form["form_content"].startswith("Is this right? hello")
    assert ([one["id"] for one in form["actions"]], form["form_token"]) == (["yes", "no"], None)
    assert not await HumanInputForm.objects.aexists()
    assert (await bob.post(f"{draft(asking)}/human-input/nodes/start/form/preview")).status == 404


async def test_a_form_is_filled_by_its_author(house: Served, bob: TierClient) -> None:
    asking = await sync_to_async(make_flow)(house.cast.alice, ASKING)
    place = f"{draft(asking)}/human-input/nodes/ask/form/run"
    filled = {"inputs": {"start.word": "hello"}, "form_inputs": {"note": "Fine"}, "action": "yes"}
    ran = (await bob.post(place, filled)).json()
    assert (ran["status"], ran["outputs"]["note"], ran["outputs"]["__action_id"]) == ("succeeded", "Fine", "yes")
    assert ran["outputs"]["__rendered_content"] == "Is this right? hello Fine"
    refused = await bob.post(place, {**filled, "action": "maybe"})
    assert (refused.status, refused.json()["code"]) == (400, "invalid_form_data")
    assert not await HumanInputForm.objects.aexists()


async def test_editors_see_whom_a_run_waits_for_and_answer_in_their_place(house: Served, bob: TierClient) -> None:
    asking = await sync_to_async(make_flow)(house.cast.alice, ASKING)
    frames = (await bob.post(f"{draft(asking)}/run", {"inputs": {"word": "hello"}})).frames
    assert frames[-1].event == "workflow_paused"
    run_id = frames[-1].record["workflow_run_id"]
    details = (await bob.get(f"/workflow/{run_id}/pause-details")).json()
    (paused,) = details["paused_nodes"]
    assert (paused["node_id"], paused["pause_type"]["type"]) == ("ask", "human_input")
    token = paused["pause_type"]["backstage_input_url"].rsplit("/", 1)[1]
    assert (await bob.get(f"/form/human_input/{token}")).json()["form_content"].startswith("Is this right? hello")
    eve = await signed_in(house, house.cast.eve)
    assert (await eve.get(f"/form/human_input/{token}")).status == 404
    answered = await bob.post(f"/form/human_input/{token}", {"action": "yes", "inputs": {"note": "Fine"}})
    assert (answered.status, answered.json()) == (200, {})
    whole = await bob.get(f"/workflow/{run_id}/events", include_state_snapshot="true", continue_on_pause="true")
    assert whole.frames[-1].event == "workflow_finished"
    assert (await Run.objects.aget(pk=run_id)).status == "succeeded"
    assert (await HumanInputForm.objects.aget(run_id=run_id)).submitted_by_account_id == house.cast.bob.account.pk
    assert (await bob.get(f"/workflow/{run_id}/pause-details")).json() == {"paused_at": None, "paused_nodes": []}
    assert (await eve.get(f"/form/human_input/{token}")).status == 404


async def test_a_container_runs_alone_as_a_stream(house: Served, bob: TierClient) -> None:
    inner = {"type": "template-transform", "title": "Shout", "template": "{{ item }}!", "isInIteration": True,
             "iteration_id": "each", "variables": [{"variable": "item", "value_selector": ["each", "item"]}]}  # fmt: skip
    outer = {"type": "iteration", "title": "Each", "iterator_selector": ["start", "words"], "start_node_id": "first",
             "output_selector": ["shout", "output"], "output_type": "array[string]"}  # fmt: skip
    nodes = [("start", {"type": "start", "title": "Start", "variables": []}), ("each", outer),
             ("end", {"type": "end", "title": "End", "outputs": []})]  # fmt: skip
    graph = graphs.drawn(nodes)
    graph["nodes"] += [
        {"id": "first", "parentId": "each", "data": {"type": "iteration-start", "title": "", "iteration_id": "each"}},
        {"id": "shout", "parentId": "each", "data": inner},
    ]
    graph["edges"].append({"source": "first", "target": "shout", "sourceHandle": "source"})
    key = await sync_to_async(make_flow)(house.cast.alice, graph)
    place = f"{draft(key)}/iteration/nodes/each/run"
    answer = await bob.post(place, {"inputs": {"start.words": ["a", "b"]}})
    events = [frame.event for frame in answer.frames]
    assert (events.count("iteration_next"), events.count("iteration_completed"), events[-1]) == (2, 1, "workflow_finished")
    row = await NodeExecution.objects.aget(node_id="each")
    assert (row.status, row.outputs and row.outputs["output"]) == ("succeeded", ["a!", "b!"])
    assert (await bob.post(f"{draft(key)}/loop/nodes/each/run")).status == 404


async def test_what_a_chatflow_remembers_is_listed(house: Served, bob: TierClient, flow: Key) -> None:
    mood = [{"name": "mood", "value_type": "string", "value": "good"}]
    chat = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat", conversation_variables=mood)
    body = (await house.ask("Hi", key=chat, response_mode="blocking", auto_generate_name=False)).json()
    talk = {"conversation_id": body["conversation_id"]}
    page = (await bob.get(f"/apps/{chat.app.pk}/conversation-variables", **talk)).json()
    assert (page["total"], [(one["name"], one["value"]) for one in page["data"]]) == (1, [("mood", "good")])
    shown = await house.call("GET", f"/v1/conversations/{body['conversation_id']}/variables?user=u1", key=chat)
    assert [one["name"] for one in shown.json()["data"]] == ["mood"]
    assert (await bob.get(f"/apps/{flow.app.pk}/conversation-variables", **talk)).status == 404
