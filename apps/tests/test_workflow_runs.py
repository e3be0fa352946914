"""Workflows over the Service API: run, followed, stopped, paused and answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from apps.models import Run, RunStatus
from difyproj.kernel import jsonio
from difyproj.testing.flows import ASKING, ASKING_IN_CHAT, ECHO, TALK, make_flow, publish
from difyproj.testing.served import Answer, Key, Served
from workflows.models import HumanInputForm, Workflow, WorkflowRun

from .contract import UNKNOWN_ID, assert_error

STOP = f"/v1/workflows/tasks/{UNKNOWN_ID}/stop"
SAY = {"inputs": {"word": "hello"}, "user": "u1"}


@pytest.fixture
async def flow(house: Served) -> Key:
    return await sync_to_async(make_flow)(house.cast.alice, ECHO)


@pytest.fixture
async def asking(house: Served) -> Key:
    return await sync_to_async(make_flow)(house.cast.alice, ASKING)


async def say(house: Served, key: Key, path: str = "/workflows/run", **fields: Any) -> Answer:
    params, headers = fields.pop("params", None), fields.pop("headers", None)
    return await house.call("POST", f"/v1{path}", key=key, json={**SAY, **fields}, params=params, headers=headers)


async def ended(run_id: str) -> Run:
    for _ in range(200):
        run = await Run.objects.aget(pk=run_id)
        if run.status != RunStatus.RUNNING:
            return run
        await asyncio.sleep(0.02)
    raise AssertionError("the run goes on and on")


async def test_a_run_is_answered_as_one_body_and_shown_later(house: Served, flow: Key) -> None:
    body = (await say(house, flow)).json()
    assert body["task_id"] == body["workflow_run_id"] == body["data"]["id"]
    assert (body["data"]["status"], body["data"]["outputs"], body["data"]["total_steps"]) == ("succeeded", {"said": "hello"}, 2)
    shown = (await house.call("GET", f"/v1/workflows/run/{body['task_id']}", key=flow)).json()
    assert (shown["status"], shown["outputs"], shown["workflow_id"]) == (
        "succeeded", {"said": "hello"}, body["data"]["workflow_id"],
    )  # fmt: skip
    assert jsonio.loads(shown["inputs"].encode())["word"] == "hello"
    assert (await WorkflowRun.objects.aget(pk=body["task_id"])).triggered_from == "app-run"


async def test_a_run_is_streamed_and_followed(house: Served, flow: Key) -> None:
    answer = await say(house, flow, response_mode="streaming")
    assert answer.headers["Content-Type"] == "text/event-stream"
    events = [frame.event for frame in answer.frames]
    assert (events[0], events[-1], events.count("node_finished")) == ("workflow_started", "workflow_finished", 2)
    run_id = answer.frames[0].record["workflow_run_id"]
    place = f"/v1/workflow/{run_id}/events"
    end = await house.call("GET", place, key=flow, params={"user": "u1"})
    assert [frame.event for frame in end.frames] == ["workflow_finished"]
    again = await house.call("GET", place, key=flow, params={"user": "u1"}, headers={"Last-Event-ID": "3"})
    assert again.frames == answer.frames[-len(again.frames) :] and again.frames[0].id == 4
    assert_error(await house.call("GET", place, key=flow, params={"user": "u2"}), 404, "not_found")
    assert_error(await house.call("GET", place, key=flow), 400, "invalid_param", params="user")


async def test_a_run_that_nobody_waits_for_says_where_it_is_seen(house: Served, flow: Key) -> None:
    answer = await say(house, flow, response_mode="async")
    body = answer.json()
    assert (answer.status, body["status"], answer.headers["Location"]) == (202, "running", body["url"])
    assert body["url"].endswith(f"/v1/workflows/run/{body['workflow_run_id']}")
    assert (await ended(body["task_id"])).status == "succeeded"
    log = (await house.call("GET", "/v1/workflows/logs", key=flow, params={"status": "succeeded"})).json()
    assert [line["workflow_run"]["id"] for line in log["data"]] == [body["workflow_run_id"]]


async def test_a_version_runs_by_its_id_and_a_draft_does_not(house: Served, flow: Key) -> None:
    first = (await say(house, flow)).json()["data"]["workflow_id"]
    louder = {**ECHO, "nodes": [*ECHO["nodes"][:1], {**ECHO["nodes"][1], "data": {**ECHO["nodes"][1]["data"], "outputs": []}}]}
    await sync_to_async(publish)(flow.app, louder)
    assert (await say(house, flow)).json()["data"]["outputs"] == {}
    assert (await say(house, flow, f"/workflows/{first}/run")).json()["data"]["outputs"] == {"said": "hello"}
    assert (await say(house, flow, params={"version": first})).json()["data"]["outputs"] == {"said": "hello"}
    for name in ("draft", "nonsense"):
        assert_error(await say(house, flow, f"/workflows/{name}/run"), 400, "bad_request")
        assert_error(await say(house, flow, params={"version": name}), 400, "bad_request")
    assert_error(await say(house, flow, f"/workflows/{UNKNOWN_ID}/run"), 404, "not_found")


async def test_what_the_form_does_not_take_is_refused(house: Served, flow: Key) -> None:
    assert_error(await say(house, flow, inputs={}), 400, "invalid_param")
    assert_error(await say(house, flow, user=""), 400, "invalid_param", params="user")
    assert_error(await say(house, flow, response_mode="sometime"), 400, "invalid_param", params="response_mode")
    assert not await Run.objects.aexists()


async def test_apps_of_other_modes_are_refused(house: Served) -> None:
    assert_error(await say(house, house.chat), 400, "not_workflow_app")
    assert_error(await house.call("GET", "/v1/workflows/logs"), 400, "not_workflow_app")
    assert_error(
        await house.call("POST", f"/v1/workflows/tasks/{UNKNOWN_ID}/stop", json={"user": "u"}), 400, "not_workflow_app"
    )


async def test_the_same_key_is_the_same_run(house: Served, flow: Key) -> None:
    answers = [await say(house, flow, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert await Run.objects.acount() == 1


async def test_a_paused_run_is_answered_and_goes_on(house: Served, asking: Key) -> None:
    body = (await say(house, asking)).json()
    (reason,) = body["data"]["reasons"]
    assert (body["data"]["status"], body["data"]["paused_nodes"]) == ("paused", ["ask"])
    place = f"/v1/form/human_input/{reason['form_token']}"
    form = (await house.call("GET", place, key=asking)).json()
    assert form["form_content"].startswith("Is this right? hello")
    assert [one["id"] for one in form["user_actions"]] == ["yes", "no"]
    assert form["expiration_time"] == reason["expiration_time"]
    answer = {"user": "u1", "action": "yes", "inputs": {"note": "Fine"}}
    refused = {**answer, "inputs": {}}
    assert_error(await house.call("POST", place, key=asking, json=refused), 400, "invalid_form_data", params="inputs.note")
    submitted = await house.call("POST", place, key=asking, json=answer)
    assert (submitted.status, submitted.json()) == (200, {})
    assert (await ended(body["task_id"])).status == "succeeded"
    row = await HumanInputForm.objects.aget(run_id=body["task_id"])
    assert (row.action_id, row.values) == ("yes", {"note": "Fine"}) and row.submitted_by_end_user_id
    assert_error(await house.call("GET", place, key=asking), 412, "human_input_form_submitted")
    assert_error(await house.call("POST", place, key=asking, json=answer), 412, "human_input_form_submitted")
    assert_error(await house.call("GET", "/v1/form/human_input/nonsense", key=asking), 404, "not_found")
    whole = await house.call(
        "GET", f"/v1/workflow/{body['task_id']}/events", key=asking, params={"user": "u1"}, headers={"Last-Event-ID": "1"}
    )
    events = [frame.event for frame in whole.frames]
    assert "human_input_form_filled" in events and events[-1] == "workflow_finished"


async def test_a_paused_run_is_stopped_by_anybody_with_the_apps_key(house: Served, asking: Key) -> None:
    body = (await say(house, asking)).json()
    stop = f"/v1/workflows/tasks/{body['task_id']}/stop"
    assert (await house.call("POST", stop, key=asking, json={"user": "u2"})).json() == {"result": "success"}
    assert (await Run.objects.aget(pk=body["task_id"])).status == "stopped"
    token = body["data"]["reasons"][0]["form_token"]
    assert_error(await house.call("GET", f"/v1/form/human_input/{token}", key=asking), 412, "human_input_form_expired")


async def test_a_chatflow_answers_chat_messages_by_version(house: Served) -> None:
    chat = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    body = (await house.ask("Hi", key=chat, response_mode="blocking", auto_generate_name=False)).json()
    assert (body["answer"], body["mode"], body["event"]) == ("You said Hi.", "advanced-chat", "message")
    run = await WorkflowRun.objects.aget(pk=body["task_id"])
    streamed = await house.ask("Hi", key=chat, workflow_id=str(run.workflow_id), conversation_id=body["conversation_id"])
    assert [frame.event for frame in streamed.frames][-2:] == ["message_end", "workflow_finished"]
    assert_error(await house.ask("Hi", key=chat, workflow_id="draft"), 400, "bad_request")
    assert_error(await house.ask("Hi", key=chat, workflow_id="nonsense"), 400, "bad_request")
    assert_error(await house.ask("Hi", key=chat, workflow_id=UNKNOWN_ID), 404, "not_found")
    shown = (await house.call("GET", f"/v1/workflows/run/{body['task_id']}", key=chat)).json()
    assert shown["status"] == "succeeded"


async def test_the_parameters_are_those_of_the_published_graph(house: Served, flow: Key) -> None:
    await sync_to_async(publish)(flow.app, ECHO, features={"opening_statement": "Hi", "text_to_speech": {"enabled": True}})
    told = (await house.call("GET", "/v1/parameters", key=flow)).json()
    assert told["opening_statement"] == "Hi" and told["text_to_speech"]["enabled"] is True
    (control,) = told["user_input_form"]
    assert control["paragraph"]["variable"] == "word" and control["paragraph"]["required"] is True
    assert (await house.call("GET", "/v1/info", key=flow)).json()["mode"] == "workflow"
    assert (await house.call("GET", "/v1/meta", key=flow)).json() == {"tool_icons": {}}
    spoken = await house.call("POST", "/v1/text-to-audio", key=flow, json={"text": "Hi.", "user": "u1"})
    assert (spoken.status, spoken.headers["Content-Type"]) == (200, "audio/mpeg")


async def test_an_app_that_was_never_published_is_unavailable(house: Served, flow: Key) -> None:
    await Workflow.objects.filter(app=flow.app).adelete()
    for answer in (await house.call("GET", "/v1/parameters", key=flow), await say(house, flow)):
        assert_error(answer, 400, "app_unavailable")


async def test_a_chatflow_that_asks_people_shows_the_form_beside_its_message(house: Served) -> None:
    chat = await sync_to_async(make_flow)(house.cast.alice, ASKING_IN_CHAT, "advanced-chat")
    body = (await house.ask("Hi", key=chat, response_mode="blocking", auto_generate_name=False)).json()
    assert (body["event"], body["data"]["paused_nodes"]) == ("workflow_paused", ["ask"])
    token = body["data"]["reasons"][0]["form_token"]
    place: dict[str, Any] = {"path": "/v1/messages", "params": {"user": "u1", "conversation_id": body["conversation_id"]}}
    (row,) = (await house.call("GET", key=chat, **place)).json()["data"]
    (asked,) = row["extra_contents"]
    assert (asked["submitted"], asked["type"], asked["workflow_run_id"]) == (False, "human_input", body["workflow_run_id"])
    assert (asked["form_definition"]["form_token"], asked["form_submission_data"]) == (token, None)
    answer = {"user": "u1", "action": "yes", "inputs": {"note": "Fine"}}
    assert (await house.call("POST", f"/v1/form/human_input/{token}", key=chat, json=answer)).status == 200
    assert (await ended(body["task_id"])).status == "succeeded"
    (row,) = (await house.call("GET", key=chat, **place)).json()["data"]
    (asked,) = row["extra_contents"]
    assert (row["answer"], asked["submitted"], asked["form_definition"]) == ("Well.", True, None)
    told = asked["form_submission_data"]
    assert (told["action_id"], told["action_text"], "Fine" in told["rendered_content"]) == ("yes", "Yes", True)
