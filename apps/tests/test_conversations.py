"""Conversations of an end user: listed, renamed, deleted, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from apps.models import Conversation, Message
from difyproj.testing.served import Served

from .contract import UNKNOWN_ID, assert_error


async def begin(house: Served, count: int = 1, *, user: str = "u1", query: str = "Hello?") -> list[str]:
    """Conversations of ``user``, oldest first."""
    bodies = [
        (await house.ask(query, user=user, response_mode="blocking", auto_generate_name=False)).json() for _ in range(count)
    ]
    return [body["conversation_id"] for body in bodies]


async def listed(house: Served, **params: str) -> Any:
    answer = await house.call("GET", "/v1/conversations", params={"user": "u1", **params})
    assert answer.status == 200, answer.body
    return answer.json()


def ids(page: Any) -> list[str]:
    return [row["id"] for row in page["data"]]


async def test_the_newest_used_comes_first(house: Served) -> None:
    first, second, third = await begin(house, 3)
    await house.ask(conversation_id=first, response_mode="blocking")
    page = await listed(house)
    assert ids(page) == [first, third, second]
    assert (page["limit"], page["has_more"]) == (20, False)
    row = page["data"][0]
    assert set(row) == {"id", "name", "inputs", "status", "introduction", "created_at", "updated_at"}
    assert (row["name"], row["status"], row["introduction"], row["inputs"]) == ("New conversation", "normal", "Hello!", {})
    assert isinstance(row["created_at"], int)


@pytest.mark.parametrize(
    ("sort_by", "order"),
    [("created_at", [0, 1, 2]), ("-created_at", [2, 1, 0]), ("updated_at", [1, 2, 0]), ("-updated_at", [0, 2, 1])],
)
async def test_lists_are_walked_through_in_any_order(house: Served, sort_by: str, order: list[int]) -> None:
    made = await begin(house, 3)
    await house.ask(conversation_id=made[0], response_mode="blocking")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for step in range(3):
        page = await listed(house, sort_by=sort_by, limit="1", **cursor)
        assert page["has_more"] is (step < 2)
        seen += ids(page)
        cursor = {"last_id": seen[-1]}
    assert seen == [made[index] for index in order]
    assert ids(await listed(house, sort_by=sort_by, **cursor)) == []


@pytest.mark.parametrize(
    "params",
    [{"pinned": "True"}, {"pinned": "false"}, {"first_id": UNKNOWN_ID}, {"first_id": "nonsense"}, {"last_id": ""}, {"x": "y"}],
)
async def test_what_old_clients_send_is_ignored(house: Served, params: dict[str, str]) -> None:
    made = await begin(house)
    assert ids(await listed(house, **params)) == made


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"last_id": "no-uuid"}, "last_id"),
        ({"sort_by": "name"}, "sort_by"),
        ({"sort_by": "-tenant_id"}, "sort_by"),
    ],
)
async def test_wrong_parameters_are_refused(house: Served, params: dict[str, str], field: str) -> None:
    answer = await house.call("GET", "/v1/conversations", params={"user": "u1", **params})
    assert_error(answer, 400, "invalid_param", params=field)


async def test_an_unknown_cursor_is_not_found(house: Served) -> None:
    theirs = (await begin(house, user="u2"))[0]
    for cursor in (UNKNOWN_ID, theirs):
        answer = await house.call("GET", "/v1/conversations", params={"user": "u1", "last_id": cursor})
        assert_error(answer, 404, "not_found")


async def test_nobody_sees_another_users_conversations(house: Served) -> None:
    await begin(house)
    assert ids(await listed(house, user="u2")) == []
    assert ids((await house.call("GET", "/v1/conversations")).json()) == []
    foreign = await house.call("GET", "/v1/conversations", key=house.foreign, params={"user": "u1"})
    assert ids(foreign.json()) == []


async def test_without_a_user_the_anonymous_one_is_meant(house: Served) -> None:
    made = await begin(house, user="DEFAULT-USER")
    assert ids((await house.call("GET", "/v1/conversations")).json()) == made
    assert ids((await house.call("GET", "/v1/conversations", params={"user": ""})).json()) == made


async def rename(house: Served, conversation: str, **fields: Any) -> Any:
    body = {"user": "u1", **fields}
    return await house.call("POST", f"/v1/conversations/{conversation}/name", json=body)


async def test_a_conversation_is_renamed(house: Served) -> None:
    (made,) = await begin(house)
    answer = await rename(house, made, name="  About whales ")
    assert (answer.status, answer.json()["name"], answer.json()["id"]) == (200, "About whales", made)
    assert (await Conversation.objects.aget()).name == "About whales"


async def test_the_model_finds_a_name_and_needs_no_other(house: Served) -> None:
    (made,) = await begin(house, query="What is a whale?")
    for extra in ({}, {"name": "ignored"}, {"name": None}):
        answer = await rename(house, made, auto_generate=True, **extra)
        assert (answer.status, answer.json()["name"]) == (200, "Hello, world!")
    assert "What is a whale?" in str(house.upstream.last.body)
    assert (await Conversation.objects.aget()).name == "Hello, world!"


async def test_a_name_is_found_even_when_the_model_fails(house: Served) -> None:
    (made,) = await begin(house, query="What is a whale?")
    house.upstream.script = house.upstream.script.__class__(fail=401)
    answer = await rename(house, made, auto_generate=True)
    assert (answer.status, answer.json()["name"]) == (200, "What is a whale?")


@pytest.mark.parametrize(
    ("fields", "field"),
    [({}, "name"), ({"name": ""}, "name"), ({"name": "  "}, "name"), ({"name": None}, "name"), ({"name": "x" * 256}, "name")],
)
async def test_without_the_model_a_name_is_needed(house: Served, fields: dict[str, Any], field: str) -> None:
    (made,) = await begin(house)
    assert_error(await rename(house, made, **fields), 400, "invalid_param", params=field)
    assert (await Conversation.objects.aget()).name == ""


async def test_a_conversation_without_messages_cannot_be_named_by_the_model(house: Served) -> None:
    (made,) = await begin(house)
    await Message.objects.all().adelete()
    assert_error(await rename(house, made, auto_generate=True), 400, "invalid_param")


async def test_a_deleted_conversation_is_gone_for_its_user_and_stays_for_the_operator(house: Served) -> None:
    first, second = await begin(house, 2)
    answer = await house.call("DELETE", f"/v1/conversations/{first}", json={"user": "u1"})
    assert (answer.status, answer.body) == (204, b"")
    assert ids(await listed(house)) == [second]
    assert (await Conversation.objects.aget(pk=first)).is_deleted
    assert_error(await house.call("DELETE", f"/v1/conversations/{first}", json={"user": "u1"}), 404, "not_found")
    assert_error(await rename(house, first, name="x"), 404, "not_found")
    history = await house.call("GET", "/v1/messages", params={"user": "u1", "conversation_id": first})
    assert_error(history, 404, "not_found")


async def test_a_conversation_is_deleted_without_a_body_by_the_anonymous_user(house: Served) -> None:
    (made,) = await begin(house, user="DEFAULT-USER")
    assert (await house.call("DELETE", f"/v1/conversations/{made}")).status == 204


@pytest.mark.parametrize("conversation", [UNKNOWN_ID, "no-uuid", "x" * 300])
async def test_an_unknown_conversation_is_not_found(house: Served, conversation: str) -> None:
    assert_error(await rename(house, conversation, name="x"), 404, "not_found")
    assert_error(await house.call("DELETE", f"/v1/conversations/{conversation}", json={"user": "u1"}), 404, "not_found")


async def test_strangers_neither_rename_nor_delete(house: Served) -> None:
    (made,) = await begin(house)
    for key, user in ((house.chat, "u2"), (house.foreign, "u1"), (house.chat, None)):
        path = f"/v1/conversations/{made}"
        body = {"user": user, "name": "Stolen"}
        assert_error(await house.call("POST", f"{path}/name", key=key, json=body), 404, "not_found")
        assert_error(await house.call("POST", f"{path}/name", key=key, json={**body, "auto_generate": True}), 404, "not_found")
        assert_error(await house.call("DELETE", path, key=key, json={"user": user}), 404, "not_found")
    row = await Conversation.objects.aget()
    assert (row.name, row.is_deleted) == ("", False)
