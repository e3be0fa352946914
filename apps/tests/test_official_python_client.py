"""The official client of PyPI (``dify-client``), as it is: every operation that chat and completion apps have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from dify_client import ChatClient, CompletionClient, DifyClient

from apps.models import Conversation, EndUser, Feedback, Message, UploadFile
from difyproj.testing.flows import ECHO, TALK, make_flow
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from workflows.models import WorkflowRun

PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.fixture
def chat(house: Served) -> Any:
    client = ChatClient(house.chat.token)
    client.base_url = f"{house.url}/v1"
    return client


@pytest.fixture
def completion(house: Served) -> Any:
    client = CompletionClient(house.completion.token)
    client.base_url = f"{house.url}/v1"
    return client


async def call(operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """The client waits for its answer, so it waits in a thread; gives what the documented demos read."""

    def work() -> Any:
        response = operation(*args, **options)
        response.raise_for_status()
        return response.json()

    return await asyncio.to_thread(work)


async def stream(operation: Callable[..., Any], *args: Any, **options: Any) -> list[dict[str, Any]]:
    """A stream read as the client's documentation reads it: what follows the first ``data:`` of each line."""

    def work() -> list[dict[str, Any]]:
        response = operation(*args, **options)
        response.raise_for_status()
        lines = [line.split("data:", 1)[-1] for line in response.iter_lines(decode_unicode=True) if line.startswith("data:")]
        return [json.loads(line.strip()) for line in lines if line.strip()]

    return await asyncio.to_thread(work)


async def test_a_chat_message_is_answered_at_once(house: Served, chat: Any) -> None:
    house.upstream.script = Script(tokens=("Good ", "day!"))
    body = await call(chat.create_chat_message, inputs={}, query="Hello?", user="u1")
    assert (body["answer"], body["mode"], body["event"]) == ("Good day!", "chat", "message")
    row = await Message.objects.select_related("end_user").aget(pk=body["message_id"])
    assert row.end_user is not None
    assert (row.query, row.answer, row.status, row.end_user.session_id) == ("Hello?", "Good day!", "normal", "u1")


async def test_a_chat_message_is_streamed_and_its_conversation_goes_on(house: Served, chat: Any) -> None:
    house.upstream.script = Script(tokens=("Good ", "day!"))
    records = await stream(chat.create_chat_message, inputs={}, query="Hello?", user="u1", response_mode="streaming")
    assert "".join(record["answer"] for record in records if record["event"] == "message") == "Good day!"
    assert records[-1]["event"] == "message_end"
    conversation_id = records[0]["conversation_id"]
    again = await call(chat.create_chat_message, {}, "And now?", "u1", "blocking", conversation_id)
    assert again["conversation_id"] == conversation_id
    assert await Message.objects.filter(conversation_id=conversation_id).acount() == 2


async def test_a_completion_is_answered_at_once_and_streamed(house: Served, completion: Any) -> None:
    house.upstream.script = Script(tokens=("A ", "poem."))
    body = await call(completion.create_completion_message, {"query": "spring"}, "blocking", "u1")
    assert (body["answer"], body["mode"]) == ("A poem.", "completion")
    records = await stream(completion.create_completion_message, {"query": "spring"}, "streaming", "u1")
    assert "".join(record["answer"] for record in records if record["event"] == "message") == "A poem."
    answers = [row.answer async for row in Message.objects.filter(app_id=house.completion.app.pk)]
    assert answers == ["A poem.", "A poem."]


async def test_a_picture_is_handed_in_and_asked_about(house: Served, chat: Any) -> None:
    await house.configure(house.chat, file_upload={"image": {"enabled": True, "transfer_methods": ["local_file"]}})
    uploaded = await call(chat.file_upload, "u1", {"file": ("pixel.png", PIXEL, "image/png")})
    row = await UploadFile.objects.aget(pk=uploaded["id"])
    assert (row.name, row.mime_type, row.size) == ("pixel.png", "image/png", len(PIXEL))
    given = [{"type": "image", "transfer_method": "local_file", "upload_file_id": uploaded["id"]}]
    body = await call(chat.create_chat_message, {}, "What is this?", "u1", files=given)
    assert await Message.objects.filter(pk=body["id"], files__upload_file=row).aexists()


async def test_the_parameters_are_told(chat: Any, completion: Any) -> None:
    assert (await call(chat.get_application_parameters, "u1"))["opening_statement"] == "Hello!"
    form = (await call(completion.get_application_parameters, "u1"))["user_input_form"]
    assert [list(item) for item in form] == [["paragraph"]]


async def test_an_answer_is_rated_and_unrated(chat: Any, completion: Any) -> None:
    for body, client in (
        (await call(chat.create_chat_message, {}, "Hello?", "u1"), chat),
        (await call(completion.create_completion_message, {"query": "x"}, "blocking", "u1"), completion),
    ):
        rated = Feedback.objects.filter(message_id=body["message_id"])
        assert await call(client.message_feedback, body["message_id"], "like", "u1") == {"result": "success"}
        assert (await rated.aget()).rating == "like"
        assert await call(client.message_feedback, body["message_id"], None, "u1") == {"result": "success"}
        assert not await rated.aexists()


async def test_conversations_are_listed_page_by_page(chat: Any) -> None:
    made = [(await call(chat.create_chat_message, {}, f"Question {number}", "u1"))["conversation_id"] for number in range(3)]
    page = await call(chat.get_conversations, "u1")
    assert [row["id"] for row in page["data"]] == made[::-1]
    assert [row["id"] for row in (await call(chat.get_conversations, "u1", pinned=True))["data"]] == made[::-1]
    first = await call(chat.get_conversations, "u1", limit=2, pinned=False)
    assert first["has_more"] is True
    rest = await call(chat.get_conversations, "u1", last_id=first["data"][-1]["id"], limit=2)
    assert ([row["id"] for row in rest["data"]], rest["has_more"]) == (made[:1], False)
    assert (await call(chat.get_conversations, "nobody"))["data"] == []


async def test_messages_are_listed_page_by_page(chat: Any) -> None:
    conversation_id = (await call(chat.create_chat_message, {}, "One", "u1"))["conversation_id"]
    for query in ("Two", "Three"):
        await call(chat.create_chat_message, {}, query, "u1", conversation_id=conversation_id)
    page = await call(chat.get_conversation_messages, "u1", conversation_id, limit=2)
    assert ([row["query"] for row in page["data"]], page["has_more"]) == (["Two", "Three"], True)
    older = await call(chat.get_conversation_messages, "u1", conversation_id, page["data"][0]["id"], 2)
    assert ([row["query"] for row in older["data"]], older["has_more"]) == (["One"], False)


async def test_a_conversation_is_renamed(chat: Any) -> None:
    conversation_id = (await call(chat.create_chat_message, {}, "Hello?", "u1"))["conversation_id"]
    assert (await call(chat.rename_conversation, conversation_id, "Greetings", "u1"))["name"] == "Greetings"
    assert (await Conversation.objects.aget(pk=conversation_id)).name == "Greetings"


async def test_a_refusal_is_an_http_error_with_the_envelope(chat: Any) -> None:
    response = await asyncio.to_thread(chat.get_conversation_messages, "u1")
    assert (response.status_code, response.json()["code"], response.json()["params"]) == (
        400, "invalid_param", "conversation_id",
    )  # fmt: skip
    response = await asyncio.to_thread(chat.rename_conversation, "no-uuid", "Name", "u1")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    chat.api_key = "app-unknown"
    response = await asyncio.to_thread(chat.get_application_parameters, "u1")
    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert not await EndUser.objects.filter(session_id="u2").aexists()


async def test_a_chatflow_is_talked_with_like_any_chat_app(house: Served) -> None:
    flow = await sync_to_async(make_flow)(house.cast.alice, TALK, "advanced-chat")
    client = ChatClient(flow.token)
    client.base_url = f"{house.url}/v1"
    body = await call(client.create_chat_message, inputs={}, query="Hello?", user="u1")
    assert (body["answer"], body["mode"]) == ("You said Hello?.", "advanced-chat")
    again = await stream(client.create_chat_message, {}, "And now?", "u1", "streaming", body["conversation_id"])
    assert "".join(record["answer"] for record in again if record["event"] == "message") == "You said And now?."
    assert [record["event"] for record in again][-2:] == ["message_end", "workflow_finished"]
    page = await call(client.get_conversation_messages, "u1", body["conversation_id"])
    assert [row["query"] for row in page["data"]] == ["Hello?", "And now?"]
    assert (await call(client.get_application_parameters, "u1"))["user_input_form"] == []


async def test_a_workflow_is_run_by_the_clients_general_request(house: Served) -> None:
    flow = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    client = DifyClient(flow.token)
    client.base_url = f"{house.url}/v1"
    body = await call(client._send_request, "POST", "/workflows/run", {"inputs": {"word": "hello"}, "user": "u1"})
    assert body["data"]["outputs"] == {"said": "hello"}
    assert (await WorkflowRun.objects.aget(pk=body["workflow_run_id"])).outputs == {"said": "hello"}
