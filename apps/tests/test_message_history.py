"""GET /v1/messages: what was said in a conversation, window by window."""

from __future__ import annotations

import pytest

from apps.models import Message
from difyproj.testing.served import Answer, Served

from .contract import UNKNOWN_ID, assert_error

FIELDS = {
    "id", "conversation_id", "parent_message_id", "inputs", "query", "answer", "status", "error", "message_files", "feedback",
    "retriever_resources", "agent_thoughts", "created_at", "extra_contents", "message_tokens", "answer_tokens", "total_tokens",
    "provider_response_latency", "total_price", "currency",
}  # fmt: skip


async def talk(house: Served, *queries: str, user: str = "u1") -> tuple[str, list[str]]:
    """A conversation and its messages' ids, oldest first."""
    conversation, messages = "", []
    for query in queries:
        body = (await house.ask(query, user=user, conversation_id=conversation, response_mode="blocking")).json()
        conversation = body["conversation_id"]
        messages.append(body["id"])
    return conversation, messages


async def history(house: Served, conversation: str, **params: str) -> Answer:
    params = {"user": "u1", "conversation_id": conversation, **params}
    return await house.call("GET", "/v1/messages", params=params)


async def test_a_row_tells_what_was_asked_and_answered(house: Served) -> None:
    conversation, (message,) = await talk(house, "Hello?")
    page = (await history(house, conversation)).json()
    assert (page["limit"], page["has_more"]) == (20, False)
    (row,) = page["data"]
    assert set(row) >= FIELDS
    assert (row["id"], row["query"], row["answer"], row["status"], row["error"]) == (
        message, "Hello?", "Hello, world!", "normal", None,
    )  # fmt: skip
    assert (row["message_tokens"], row["answer_tokens"], row["total_tokens"]) == (7, 3, 10)
    assert (row["feedback"], row["message_files"], row["retriever_resources"]) == (None, [], [])
    assert float(row["total_price"]) > 0
    assert isinstance(row["total_price"], str)
    assert row["currency"] == "USD"


async def test_the_newest_window_comes_first_and_each_runs_from_old_to_new(house: Served) -> None:
    conversation, made = await talk(house, "1", "2", "3", "4", "5")
    page = (await history(house, conversation, limit="2")).json()
    assert ([row["query"] for row in page["data"]], page["has_more"]) == (["4", "5"], True)
    page = (await history(house, conversation, limit="2", first_id=made[3])).json()
    assert ([row["query"] for row in page["data"]], page["has_more"]) == (["2", "3"], True)
    page = (await history(house, conversation, limit="2", first_id=made[1])).json()
    assert ([row["query"] for row in page["data"]], page["has_more"]) == (["1"], False)
    page = (await history(house, conversation, first_id=made[0])).json()
    assert page["data"] == []


async def test_an_empty_cursor_means_the_newest_window(house: Served) -> None:
    conversation, made = await talk(house, "1")
    assert [row["id"] for row in (await history(house, conversation, first_id="")).json()["data"]] == made


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"conversation_id": ""}, "conversation_id"),
        ({"conversation_id": "no-uuid"}, "conversation_id"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"first_id": "no-uuid"}, "first_id"),
    ],
)
async def test_wrong_parameters_are_refused(house: Served, params: dict[str, str], field: str) -> None:
    conversation, _ = await talk(house, "1")
    assert_error(await history(house, **{"conversation": conversation, **params}), 400, "invalid_param", params=field)


async def test_the_conversation_is_required(house: Served) -> None:
    answer = await house.call("GET", "/v1/messages", params={"user": "u1"})
    assert_error(answer, 400, "invalid_param", params="conversation_id")


async def test_an_unknown_cursor_is_not_found(house: Served) -> None:
    conversation, _ = await talk(house, "1")
    _, other = await talk(house, "2")
    for cursor in (UNKNOWN_ID, other[0]):
        assert_error(await history(house, conversation, first_id=cursor), 404, "not_found")


async def test_strangers_see_nothing(house: Served) -> None:
    conversation, _ = await talk(house, "1")
    assert_error(await history(house, conversation, user="u2"), 404, "not_found")
    assert_error(await history(house, UNKNOWN_ID), 404, "not_found")
    params = {"user": "u1", "conversation_id": conversation}
    assert_error(await house.call("GET", "/v1/messages", key=house.foreign, params=params), 404, "not_found")


async def test_a_failed_answer_says_why(house: Served) -> None:
    house.upstream.script = house.upstream.script.__class__(fail=400, fail_message="The moon is too full.")
    frames = (await house.ask()).frames
    assert frames[-1].event == "error"
    message = await Message.objects.aget()
    (row,) = (await history(house, str(message.conversation_id))).json()["data"]
    assert (row["status"], row["answer"]) == ("error", "")
    assert "The moon is too full." in row["error"]


async def test_feedback_stands_beside_its_message(house: Served) -> None:
    conversation, made = await talk(house, "1", "2")
    await house.call("POST", f"/v1/messages/{made[0]}/feedbacks", json={"user": "u1", "rating": "like"})
    rows = (await history(house, conversation)).json()["data"]
    assert [row["feedback"] for row in rows] == [{"rating": "like"}, None]
