"""Debug runs: builders ask their app on the Console API, with a configuration that is not saved."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.services import sessions
from apps.models import App, Conversation, Message, Run
from apps.services import files
from difyproj.testing.console import TierClient
from difyproj.testing.queries import queries_of
from difyproj.testing.served import Answer, Served, next_frame, parse_frames
from difyproj.testing.upstream import Script
from difyproj.tiers import streaming

from .console_crew import Crew, data
from .contract import UNKNOWN_ID, assert_error
from .test_file_upload import PNG, upload

MODEL = {"provider": "openai", "name": "gpt-4o", "mode": "chat", "completion_params": {}}
OVERRIDE = {"model": MODEL, "pre_prompt": "You are a pirate.", "opening_statement": "Ahoy!"}
FAMILIES = ["chat", "completion"]


def app_of(crew: Crew, family: str = "chat") -> str:
    return f"/apps/{(crew.house.chat if family == 'chat' else crew.house.completion).app.pk}"


def question(**fields: Any) -> dict[str, Any]:
    return {"query": "Who are you?", "inputs": {}, "response_mode": "streaming", "model_config": OVERRIDE, **fields}


async def ask(crew: Crew, who: TierClient | None = None, family: str = "chat", **fields: Any) -> Answer:
    headers = fields.pop("headers", {})
    path = f"{app_of(crew, family)}/{family}-messages"
    return await (who or crew.bob).post(path, question(**fields), headers=headers)


def text_of(answer: Answer) -> str:
    return "".join(frame.record["answer"] for frame in answer.frames if frame.event == "message")


@pytest.mark.parametrize("family", FAMILIES)
async def test_an_unsaved_configuration_answers_and_is_not_saved(crew: Crew, family: str) -> None:
    answer = await ask(crew, family=family)
    assert (answer.status, text_of(answer), answer.frames[-1].event) == (200, "Hello, world!", "message_end")
    sent = crew.house.upstream.last.body
    assert (sent["model"], sent["messages"][0]["content"]) == ("gpt-4o", "You are a pirate.")
    row = await Message.objects.select_related("run", "conversation", "app").aget()
    bob = crew.house.cast.bob.account.pk
    assert row.run is not None
    for part in (row, row.run, row.conversation):
        assert (part.account_id, part.end_user_id, part.tier) == (bob, None, "console")
    assert (row.run.config_override, row.run.status, row.answer) == (OVERRIDE, "succeeded", "Hello, world!")
    key = crew.house.chat if family == "chat" else crew.house.completion
    assert row.app.config == key.app.config


@pytest.mark.parametrize("family", FAMILIES)
async def test_without_one_the_saved_configuration_answers(crew: Crew, family: str) -> None:
    body = question(model_config=None, response_mode="blocking", inputs={"query": "whales"})
    answer = await crew.bob.post(f"{app_of(crew, family)}/{family}-messages", body)
    assert (answer.status, answer.json()["answer"], answer.json()["mode"]) == (200, "Hello, world!", family)
    assert crew.house.upstream.last.body["model"] == "gpt-4o-mini"
    row = await Run.objects.aget()
    assert row.config_override is None


async def test_a_debug_conversation_goes_on_with_its_account_only(crew: Crew) -> None:
    first = (await ask(crew, response_mode="blocking")).json()
    again = await ask(crew, response_mode="blocking", conversation_id=first["conversation_id"], query="And now?")
    assert again.json()["conversation_id"] == first["conversation_id"]
    assert [message["content"] for message in crew.house.upstream.last.body["messages"]] == [
        "You are a pirate.", "Who are you?", "Hello, world!", "And now?",
    ]  # fmt: skip
    before = await Message.objects.acount()
    assert_error(await ask(crew, crew.alice, conversation_id=first["conversation_id"]), 404, "not_found")
    published = (await crew.house.ask(response_mode="blocking", auto_generate_name=False)).json()
    assert_error(await ask(crew, conversation_id=published["conversation_id"]), 404, "not_found")
    stolen = await crew.house.ask(conversation_id=first["conversation_id"])
    assert_error(stolen, 404, "not_found")
    assert await Message.objects.acount() == before + 1


async def test_no_model_is_asked_for_a_debug_conversations_name(crew: Crew) -> None:
    await ask(crew, response_mode="blocking", auto_generate_name=True)
    assert crew.house.upstream.requests == 1


@pytest.mark.parametrize("family", FAMILIES)
async def test_only_editors_debug(crew: Crew, family: str) -> None:
    path = f"{app_of(crew, family)}/{family}-messages"
    await crew.assert_only_for("POST", path, editors=True, json=question())
    assert crew.house.upstream.requests == 0
    assert not await Message.objects.aexists()


@pytest.mark.parametrize(("family", "code"), [("chat", "not_chat_app"), ("completion", "not_completion_app")])
async def test_an_app_of_the_other_family_is_refused(crew: Crew, family: str, code: str) -> None:
    other = app_of(crew, "completion" if family == "chat" else "chat")
    assert_error(await crew.bob.post(f"{other}/{family}-messages", question()), 400, code)
    assert_error(await crew.bob.post(f"{other}/{family}-messages/{UNKNOWN_ID}/stop"), 400, code)


@pytest.mark.parametrize(
    ("fields", "code", "params"),
    [
        ({"model_config": {**OVERRIDE, "prompt_type": "song"}}, "invalid_param", "prompt_type"),
        ({"model_config": [1]}, "invalid_param", "model_config"),
        ({"model_config": {**OVERRIDE, "pre_prompt": "a\0b"}}, "invalid_param", "model_config"),
        ({"model_config": {**OVERRIDE, "user_input_form": [{"text-input": {"variable": "x", "required": True}}]}},
         "invalid_param", "x"),
        ({"model_config": {}}, "app_unavailable", None),
        ({"model_config": {"model": {**MODEL, "provider": "anthropic"}}}, "provider_not_initialize", None),
        ({"model_config": {"model": {**MODEL, "provider": "nobody"}}}, "provider_not_initialize", None),
        ({"query": " "}, "invalid_param", "query"),
        ({"inputs": None}, "invalid_param", "inputs"),
        ({"conversation_id": "x"}, "invalid_param", "conversation_id"),
        ({"response_mode": "shout"}, "invalid_param", "response_mode"),
    ],
)  # fmt: skip
async def test_a_wrong_question_is_refused_before_anything_is_written(
    crew: Crew, fields: dict[str, Any], code: str, params: str | None
) -> None:
    assert_error(await ask(crew, **fields), 400, code, params=params)
    assert not await Conversation.objects.aexists()
    assert crew.house.upstream.requests == 0


async def test_an_override_reaches_nothing_of_another_workspace(crew: Crew) -> None:
    """Eve's file and app named in Bob's request are nothing to him."""
    foreign = (await upload(crew.house, key=crew.house.foreign)).json()["id"]
    files = {"image": {"enabled": True, "number_limits": 3, "transfer_methods": ["local_file"]}}
    given = [{"type": "image", "transfer_method": "local_file", "upload_file_id": foreign}]
    answer = await ask(crew, model_config={**OVERRIDE, "file_upload": files}, files=given)
    assert_error(answer, 400, "invalid_param", params="files")
    theft: dict[str, Any] = {"tenant_id": str(crew.house.cast.eve.tenant.pk), "app_id": str(crew.house.foreign.app.pk)}
    assert (await ask(crew, **theft, model_config={**OVERRIDE, **theft})).status == 200
    row = await Message.objects.aget()
    assert (row.tenant_id, row.app_id) == (crew.house.cast.bob.tenant.pk, crew.house.chat.app.pk)


async def test_a_run_is_stopped_by_the_account_that_asked(crew: Crew) -> None:
    crew.house.upstream.script = Script(tokens=["One", " two"], hang="end")
    path = f"{app_of(crew)}/chat-messages"
    async with crew.house.client.post(
        f"{crew.house.url}/console/api{path}", json=question(), headers=crew.bob.headers
    ) as response:
        task = (await next_frame(response)).record["task_id"]
        assert (await crew.alice.post(f"{path}/{task}/stop")).json() == {"result": "success"}
        assert_error(await crew.eve.post(f"{path}/{task}/stop"), 404, "app_not_found")
        assert (await Run.objects.aget()).status == "running"
        assert (await crew.bob.post(f"{path}/{task}/stop")).json() == {"result": "success"}
        rest = await asyncio.wait_for(response.read(), 5)
    assert parse_frames(rest)[-1].event == "message_end"
    assert (await Run.objects.aget()).status == "stopped"
    for unknown in (UNKNOWN_ID, "nonsense"):
        assert (await crew.bob.post(f"{path}/{unknown}/stop")).json() == {"result": "success"}


async def test_a_stream_ends_with_its_session_while_the_run_goes_on(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "RECHECK_SECONDS", 0.1)
    crew.house.upstream.script = Script(tokens=["One", " two"], hang="end")
    url = f"{crew.house.url}/console/api{app_of(crew)}/chat-messages"
    async with crew.house.client.post(url, json=question(), headers=crew.bob.headers) as response:
        await next_frame(response)
        await sync_to_async(sessions.close_all)(crew.house.cast.bob.account)
        rest = await asyncio.wait_for(response.read(), 5)
    assert b'"code":"unauthorized"' in rest
    assert (await Run.objects.aget()).status == "running"


async def test_a_question_sent_twice_with_one_key_is_asked_once_for_each_account(crew: Crew) -> None:
    headers = {"Idempotency-Key": "debug-1"}
    first, second = [await ask(crew, headers=headers) for _ in range(2)]
    assert (second.status, second.body) == (200, first.body)
    assert await Message.objects.acount() == 1
    assert_error(await ask(crew, query="Something else?", headers=headers), 409, "idempotency_conflict")
    assert (await ask(crew, crew.alice, headers=headers)).status == 200
    assert (await crew.house.ask(headers=headers, auto_generate_name=False)).status == 200
    assert await Message.objects.acount() == 3


async def test_questions_are_suggested_by_the_configuration_that_answered(crew: Crew) -> None:
    path = f"{app_of(crew)}/chat-messages"
    on = {**OVERRIDE, "suggested_questions_after_answer": {"enabled": True}}
    asked = (await ask(crew, response_mode="blocking", model_config=on)).json()["id"]
    crew.house.upstream.script = Script(tokens=['["Why?", "Where?"]'])
    answer = await crew.bob.get(f"{path}/{asked}/suggested-questions")
    assert (answer.status, answer.json()) == (200, {"data": ["Why?", "Where?"]})
    off = (await ask(crew, response_mode="blocking")).json()["id"]
    code = "app_suggested_questions_after_answer_disabled"
    assert_error(await crew.bob.get(f"{path}/{off}/suggested-questions"), 403, code)
    for unknown in (UNKNOWN_ID, "nonsense"):
        assert_error(await crew.bob.get(f"{path}/{unknown}/suggested-questions"), 404, "not_found")
    assert_error(await crew.alice.get(f"{path}/{asked}/suggested-questions"), 404, "not_found")
    await crew.assert_only_for("GET", f"{path}/{asked}/suggested-questions", editors=True)


async def test_a_conversations_messages_are_read_page_by_page(crew: Crew) -> None:
    path, conversation = f"{app_of(crew)}/chat-messages", ""
    for number in range(3):
        answer = await ask(crew, response_mode="blocking", conversation_id=conversation, query=f"Question {number}")
        conversation = answer.json()["conversation_id"]
    page = (await crew.bob.get(path, conversation_id=conversation, limit="2")).json()
    assert (page["limit"], page["has_more"]) == (2, True)
    assert [row["query"] for row in page["data"]] == ["Question 1", "Question 2"]
    assert await queries_of(crew.bob.get, path, conversation_id=conversation) <= 8
    rest = (await crew.bob.get(path, conversation_id=conversation, limit="2", first_id=page["data"][0]["id"])).json()
    assert ([row["query"] for row in rest["data"]], rest["has_more"]) == (["Question 0"], False)
    (row,) = rest["data"]
    assert (row["from_source"], row["from_account_id"]) == ("console", str(crew.house.cast.bob.account.pk))
    assert (row["answer"], row["status"], row["message_tokens"], row["answer_tokens"]) == ("Hello, world!", "normal", 7, 3)
    assert (row["feedbacks"], row["annotation"], row["annotation_hit_history"], row["message_files"]) == ([], None, None, [])
    for query, params in (
        ({}, "conversation_id"), ({"conversation_id": "x"}, "conversation_id"),
        ({"conversation_id": conversation, "limit": "0"}, "limit"),
        ({"conversation_id": conversation, "limit": "101"}, "limit"),
        ({"conversation_id": conversation, "first_id": "x"}, "first_id"),
    ):  # fmt: skip
        assert_error(await crew.bob.get(path, **query), 400, "invalid_param", params=params)
    assert_error(await crew.bob.get(path, conversation_id=UNKNOWN_ID), 404, "not_found")
    assert_error(await crew.bob.get(path, conversation_id=conversation, first_id=UNKNOWN_ID), 404, "not_found")


async def test_the_messages_of_published_use_are_read_here_too(crew: Crew) -> None:
    house, path = crew.house, f"{app_of(crew)}/chat-messages"
    told = (await house.ask(response_mode="blocking", auto_generate_name=False)).json()
    await house.call("POST", f"/v1/messages/{told['id']}/feedbacks", json={"rating": "like", "user": "u1", "content": "Good"})
    await crew.bob.post(f"{app_of(crew)}/annotations", {"message_id": told["id"], "answer": "Better."})
    (row,) = data(await crew.alice.get(path, conversation_id=told["conversation_id"]))
    assert (row["id"], row["from_source"], row["from_account_id"]) == (told["id"], "api", None)
    assert [(given["rating"], given["content"], given["from_source"]) for given in row["feedbacks"]] == [
        ("like", "Good", "user")
    ]
    bob = house.cast.bob.account
    assert row["annotation"]["content"] == "Better."
    assert row["annotation"]["account"] == {"id": str(bob.pk), "name": "Bob", "email": bob.email}
    await crew.assert_only_for("GET", f"{path}?conversation_id={told['conversation_id']}", editors=True)
    theirs = (await house.ask(response_mode="blocking", key=house.foreign, auto_generate_name=False)).json()
    assert_error(await crew.bob.get(path, conversation_id=theirs["conversation_id"]), 404, "not_found")


async def test_one_message_is_read_in_detail(crew: Crew) -> None:
    asked = (await ask(crew, response_mode="blocking")).json()
    path = f"{app_of(crew)}/messages/{asked['id']}"
    answer = await crew.alice.get(path)
    assert (answer.status, answer.json()["id"], answer.json()["query"]) == (200, asked["id"], "Who are you?")
    (same,) = data(await crew.alice.get(f"{app_of(crew)}/chat-messages", conversation_id=asked["conversation_id"]))
    assert answer.json() == same
    foreign = (await crew.house.ask(response_mode="blocking", key=crew.house.foreign, auto_generate_name=False)).json()["id"]
    for unknown in (foreign, UNKNOWN_ID, "nonsense"):
        assert_error(await crew.alice.get(f"{app_of(crew)}/messages/{unknown}"), 404, "not_found")
    assert_error(await crew.alice.get(f"{app_of(crew, 'completion')}/messages/{asked['id']}"), 404, "not_found")
    await crew.assert_only_for("GET", path, editors=True)


async def test_a_suspended_app_answers_nobody(crew: Crew) -> None:
    await App.objects.filter(pk=crew.house.chat.app.pk).aupdate(status="suspended")
    assert_error(await ask(crew), 400, "app_unavailable")
    assert (await crew.bob.get(app_of(crew))).status == 200
    assert crew.house.upstream.requests == 0


async def test_an_upload_of_the_account_goes_into_its_debug_run(house: Served, crew: Crew) -> None:
    principal = house.cast.bob.principal
    given = SimpleUploadedFile("cat.png", PNG, "image/png")
    row = await files.keep(await sync_to_async(files.plan)(owner=principal, file=given), given)
    rules = {"image": {"enabled": True, "number_limits": 3, "detail": "low", "transfer_methods": ["local_file"]}}
    part = [{"type": "image", "transfer_method": "local_file", "upload_file_id": str(row.pk)}]
    override = {**OVERRIDE, "file_upload": rules}
    assert (await ask(crew, model_config=override, files=part)).frames[-1].event == "message_end"
    assert "data:image/png;base64," in str(house.upstream.last.body)
    conversation = await Conversation.objects.aget()
    (told,) = data(await crew.bob.get(f"{app_of(crew)}/chat-messages", conversation_id=str(conversation.pk)))
    assert [file["upload_file_id"] for file in told["message_files"]] == [str(row.pk)]
    assert_error(await ask(crew, crew.alice, model_config=override, files=part), 400, "invalid_param", params="files")


async def test_debug_runs_stand_in_no_log(crew: Crew) -> None:
    await ask(crew)
    assert data(await crew.bob.get(f"{app_of(crew)}/chat-conversations")) == []
    assert data(await crew.bob.get(f"{app_of(crew)}/statistics/daily-messages")) == []
