"""POST /v1/completion-messages: a text without a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from apps.models import Message, Run
from difyproj.testing.served import Answer, Served

from .contract import assert_error

PATH = "/v1/completion-messages"


async def write(house: Served, **fields: Any) -> Answer:
    return await house.call("POST", PATH, key=house.completion, json={"inputs": {"query": "whales"}, "user": "u1", **fields})


async def test_a_streamed_text_has_no_conversation(house: Served) -> None:
    frames = (await write(house, response_mode="streaming")).frames
    assert {frame.event for frame in frames} == {"message", "message_end"}
    assert all("conversation_id" not in frame.record for frame in frames)
    assert "".join(frame.record["answer"] for frame in frames[:-1]) == "Hello, world!"
    message = await Message.objects.select_related("run").aget()
    assert (message.inputs, message.query, message.answer) == ({"query": "whales"}, "", "Hello, world!")
    assert message.run is not None
    assert (message.run.mode, message.run.status) == ("completion", "succeeded")


async def test_a_text_in_one_body(house: Served) -> None:
    body = (await write(house)).json()
    assert set(body) == {"event", "task_id", "id", "message_id", "mode", "answer", "metadata", "created_at"}
    assert (body["event"], body["mode"], body["answer"]) == ("message", "completion", "Hello, world!")
    assert body["id"] == body["message_id"]


async def test_the_instructions_are_filled_with_the_inputs(house: Served) -> None:
    await write(house)
    assert [(m["role"], m["content"]) for m in house.upstream.last.body["messages"]] == [("user", "Write about whales")]


@pytest.mark.parametrize("query", ["", None, "in rhyme"])
async def test_the_query_is_optional(house: Served, query: str | None) -> None:
    answer = await write(house, query=query)
    assert answer.status == 200
    assert (await Message.objects.aget()).query == (query or "")


@pytest.mark.parametrize("files", [None, []])
async def test_old_clients_send_no_files_as_null(house: Served, files: Any) -> None:
    assert (await write(house, files=files)).status == 200


@pytest.mark.parametrize("missing", ["inputs", "user"])
async def test_required_fields_are_required(house: Served, missing: str) -> None:
    body = {"inputs": {}, "user": "u1"}
    del body[missing]
    answer = await house.call("POST", PATH, key=house.completion, json=body)
    assert_error(answer, 400, "invalid_param", params=missing)
    assert not await Run.objects.aexists()


async def test_texts_are_not_named(house: Served) -> None:
    await write(house)
    await house.call("GET", "/v1/info")
    assert house.upstream.requests == 1


async def test_a_conversation_is_not_continued(house: Served) -> None:
    for _ in range(2):
        assert (await write(house, conversation_id="anything")).status == 200
    assert len(house.upstream.last.body["messages"]) == 1


async def test_a_foreign_key_does_not_write_here(house: Served) -> None:
    answer = await house.call("POST", PATH, key=house.foreign, json={"inputs": {}, "user": "u1"})
    assert_error(answer, 400, "app_unavailable")
    assert not await Run.objects.aexists()
