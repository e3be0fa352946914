"""POST /v1/chat-messages: what a body may look like, and how a wrong one is refused."""

from __future__ import annotations

from typing import Any

import pytest

from apps.models import Conversation, EndUser, Message, Run
from difyproj.testing.served import Served

from .contract import UNKNOWN_ID, assert_error

FORM = [
    {"text-input": {"label": "Name", "variable": "name", "required": True, "max_length": 5}},
    {"select": {"label": "Size", "variable": "size", "required": False, "options": ["S", "M"], "default": "M"}},
    {"number": {"label": "Age", "variable": "age", "required": False}},
    {"checkbox": {"label": "Yes", "variable": "yes", "required": False}},
]


async def refused(
    house: Served, params: str | None = None, *, code: str = "invalid_param", status: int = 400, **body: Any
) -> None:
    answer = await house.call("POST", "/v1/chat-messages", json=body)
    assert_error(answer, status, code, params=params)
    assert not await Run.objects.aexists()
    assert not await Message.objects.aexists()
    assert house.upstream.requests == 0


@pytest.mark.parametrize("missing", ["inputs", "query", "user"])
async def test_required_fields_are_required(house: Served, missing: str) -> None:
    body: dict[str, Any] = {"inputs": {}, "query": "x", "user": "u1"}
    del body[missing]
    await refused(house, missing, **body)


@pytest.mark.parametrize("user", ["", None, "   "])
async def test_an_empty_user_is_no_user(house: Served, user: str | None) -> None:
    answer = await house.call("POST", "/v1/chat-messages", json={"inputs": {}, "query": "x", "user": user})
    assert_error(answer, 400, "invalid_param", params="user")
    assert answer.json()["message"] == "Arg user must be provided."
    assert not await EndUser.objects.aexists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("inputs", "text"),
        ("inputs", []),
        ("inputs", None),
        ("query", None),
        ("query", {}),
        ("query", ["x"]),
        ("query", ""),
        ("query", "  \n "),
        ("user", {}),
        ("user", "x" * 256),
        ("response_mode", "sometimes"),
        ("response_mode", 7),
        ("conversation_id", "no-uuid"),
        ("conversation_id", {}),
        ("files", "text"),
        ("files", [{}]),
        ("files", ["x"]),
        ("files", [{"type": "image"}]),
        ("files", [{"type": "program", "transfer_method": "remote_url", "url": "http://x"}]),
        ("files", [{"type": "image", "transfer_method": "magic"}]),
        ("auto_generate_name", "perhaps"),
        ("stage_events", "perhaps"),
    ],
)
async def test_a_wrong_field_is_refused_before_anything_is_written(house: Served, field: str, value: Any) -> None:
    await refused(house, None, **{"inputs": {}, "query": "x", "user": "u1", field: value})


async def test_a_wrong_file_is_named_with_its_place(house: Served) -> None:
    good = {"type": "image", "transfer_method": "remote_url", "url": "http://x/y.png"}
    answer = await house.ask(files=[good, {**good, "type": "program"}])
    assert_error(answer, 400, "invalid_param", params="files.1.type")


@pytest.mark.parametrize(
    "extra",
    [
        {"files": None},
        {"files": []},
        {"conversation_id": ""},
        {"conversation_id": None},
        {"response_mode": None},
        {"parent_message_id": None},
        {"parent_message_id": UNKNOWN_ID},
        {"workflow_id": None},
        {"retriever_from": "dev"},
        {"trace_id": {"odd": 1}},
        {"trace_id": 7},
        {"trace_id": None},
        {"model_config": {"x": 1}, "something_new": [1, 2]},
        {"tenant_id": UNKNOWN_ID, "id": UNKNOWN_ID, "role": "owner", "is_superuser": True},
    ],
)
async def test_what_clients_send_besides_is_tolerated(house: Served, extra: dict[str, Any]) -> None:
    answer = await house.call("POST", "/v1/chat-messages", json={"inputs": {}, "query": "x", "user": "u1", **extra})
    assert answer.status == 200, answer.body
    message = await Message.objects.select_related("run").aget()
    assert message.tenant_id == house.cast.alice.tenant.pk
    assert str(message.pk) == answer.json()["id"] != UNKNOWN_ID


async def test_an_answer_without_response_mode_is_one_body(house: Served) -> None:
    answer = await house.call("POST", "/v1/chat-messages", json={"inputs": {}, "query": "x", "user": "u1"})
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["answer"] == "Hello, world!"


async def test_nul_characters_are_left_out_of_question_and_inputs(house: Served) -> None:
    await house.configure(house.chat, user_input_form=FORM)
    answer = await house.ask("a\0b", inputs={"name": "x\0y"}, response_mode="blocking")
    assert answer.status == 200
    message = await Message.objects.aget()
    assert (message.query, message.inputs["name"]) == ("ab", "xy")


async def test_inputs_are_checked_against_the_form(house: Served) -> None:
    await house.configure(house.chat, user_input_form=FORM)
    for inputs, field in (
        ({}, "name"),
        ({"name": 7}, "name"),
        ({"name": "too long"}, "name"),
        ({"name": "Ann", "size": "XXL"}, "size"),
        ({"name": "Ann", "age": "old"}, "age"),
    ):
        await refused(house, field, inputs=inputs, query="x", user="u1")


async def test_inputs_get_their_defaults_and_lose_what_the_form_does_not_know(house: Served) -> None:
    await house.configure(house.chat, user_input_form=FORM, pre_prompt="Be kind to {{name}}, size {{size}}.")
    inputs = {"name": "Ann", "age": "", "yes": "on", "unknown": {"deep": [1]}}
    assert (await house.ask(inputs=inputs, response_mode="blocking")).status == 200
    message = await Message.objects.select_related("conversation").aget()
    assert message.inputs == message.conversation.inputs == {"name": "Ann", "size": "M", "age": None, "yes": True}
    assert house.upstream.received[0].body["messages"][0]["content"] == "Be kind to Ann, size M."


async def test_an_unknown_conversation_does_not_exist(house: Served) -> None:
    await refused(house, code="not_found", status=404, inputs={}, query="x", user="u1", conversation_id=UNKNOWN_ID)


async def test_a_conversation_goes_on_with_what_was_said(house: Served) -> None:
    first = (await house.ask("My name is Ann.", response_mode="blocking", auto_generate_name=False)).json()
    second = (await house.ask("Who am I?", response_mode="blocking", conversation_id=first["conversation_id"])).json()
    assert second["conversation_id"] == first["conversation_id"]
    assert [(m["role"], m["content"]) for m in house.upstream.last.body["messages"]] == [
        ("system", "You are kind."),
        ("user", "My name is Ann."),
        ("assistant", "Hello, world!"),
        ("user", "Who am I?"),
    ]
    assert await Conversation.objects.acount() == 1
    assert await Message.objects.acount() == 2


async def test_a_finished_conversation_takes_no_more_questions(house: Served) -> None:
    first = (await house.ask(response_mode="blocking")).json()
    await Conversation.objects.aupdate(status="completed")
    answer = await house.ask(conversation_id=first["conversation_id"])
    assert_error(answer, 400, "conversation_completed")
    assert await Message.objects.acount() == 1


async def test_a_deleted_conversation_takes_no_more_questions(house: Served) -> None:
    first = (await house.ask(response_mode="blocking")).json()
    await house.call("DELETE", f"/v1/conversations/{first['conversation_id']}", json={"user": "u1"})
    assert_error(await house.ask(conversation_id=first["conversation_id"]), 404, "not_found")


async def test_a_user_is_made_once_and_asked_for_ever_after(house: Served) -> None:
    for _ in range(2):
        await house.ask(response_mode="blocking")
    user = await EndUser.objects.aget()
    assert (user.session_id, user.type, user.is_anonymous) == ("u1", "service-api", False)
    assert user.tenant_id == house.cast.alice.tenant.pk
    await house.ask(response_mode="blocking", key=house.foreign)
    assert await EndUser.objects.acount() == 2


PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("header", "query", "body", "parent", "kept"),
    [
        ("from-header", "from-query", "from-body", PARENT, "from-header"),
        ("not valid!", "from-query", "from-body", PARENT, "from-query"),
        ("", "", "from-body", PARENT, "from-body"),
        ("", "x" * 129, {"odd": 1}, PARENT, "0af7651916cd43dd8448eb211c80319c"),
        ("", "", " padded ", "nonsense", ""),
        ("", "", 17, "", ""),
    ],
)
async def test_the_trace_id_comes_from_the_first_source_that_has_one(
    house: Served, header: str, query: str, body: Any, parent: str, kept: str
) -> None:
    headers = {name: value for name, value in (("X-Trace-Id", header), ("traceparent", parent)) if value}
    sent = {"inputs": {}, "query": "x", "user": "u1", "trace_id": body}
    params = {"trace_id": query} if query else None
    assert (await house.call("POST", "/v1/chat-messages", json=sent, headers=headers, params=params)).status == 200
    assert (await Run.objects.aget()).trace_id == kept


async def test_a_new_conversation_is_named_unless_it_should_not_be(house: Served) -> None:
    await house.ask("What is a whale?", response_mode="blocking", auto_generate_name=False)
    assert house.upstream.requests == 1
    await house.ask("What is a whale?", response_mode="blocking")
    await house.upstream.until(lambda: house.upstream.requests == 3)
    assert "What is a whale?" in str(house.upstream.last.body)
    named = Conversation.objects.exclude(name="")
    for _ in range(100):
        if await named.aexists():
            break
        await house.call("GET", "/v1/info")
    assert (await named.aget()).name == "Hello, world!"
    assert await Conversation.objects.filter(name="").acount() == 1
