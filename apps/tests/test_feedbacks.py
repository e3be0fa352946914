"""Feedback: an end user's opinion on an answer, and the app's list of all of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from apps.models import Feedback
from difyproj.testing.served import Answer, Key, Served

from .contract import UNKNOWN_ID, assert_error


async def said(house: Served, **fields: Any) -> str:
    return str((await house.ask(response_mode="blocking", **fields)).json()["id"])


async def rate(house: Served, message: str, *, key: Key | None = None, **fields: Any) -> Answer:
    return await house.call("POST", f"/v1/messages/{message}/feedbacks", key=key, json={"user": "u1", **fields})


async def test_an_answer_is_liked_disliked_and_left_alone_again(house: Served) -> None:
    message = await said(house)
    for rating, content in (("like", "Nice."), ("dislike", None)):
        answer = await rate(house, message, rating=rating, content=content)
        assert (answer.status, answer.json()) == (200, {"result": "success"})
        row = await Feedback.objects.aget()
        assert (str(row.message_id), row.rating, row.content, row.from_source) == (message, rating, content, "user")
        assert row.tenant_id == house.cast.alice.tenant.pk
    assert (await rate(house, message, rating=None)).json() == {"result": "success"}
    assert not await Feedback.objects.aexists()


@pytest.mark.parametrize("fields", [{"rating": None}, {}])
async def test_what_was_not_given_cannot_be_taken_back(house: Served, fields: dict[str, Any]) -> None:
    assert_error(await rate(house, await said(house), **fields), 400, "invalid_param")


@pytest.mark.parametrize(
    ("fields", "field"), [({"rating": "love"}, "rating"), ({"rating": 1}, "rating"), ({"rating": "like", "user": ""}, "user")]
)
async def test_wrong_fields_are_refused(house: Served, fields: dict[str, Any], field: str) -> None:
    assert_error(await rate(house, await said(house), **fields), 400, "invalid_param", params=field)
    assert not await Feedback.objects.aexists()


async def test_strangers_have_no_opinion(house: Served) -> None:
    message = await said(house)
    assert_error(await rate(house, message, rating="like", user="u2"), 404, "not_found")
    assert_error(await rate(house, message, rating="like", key=house.foreign), 404, "not_found")
    assert_error(await rate(house, message, rating="like", key=house.completion), 404, "not_found")
    for unknown in (UNKNOWN_ID, "no-uuid"):
        assert_error(await rate(house, unknown, rating="like"), 404, "not_found")
    assert not await Feedback.objects.aexists()


async def test_a_text_of_a_completion_app_takes_feedback_too(house: Served) -> None:
    body = {"inputs": {"query": "x"}, "user": "u1"}
    message = (await house.call("POST", "/v1/completion-messages", key=house.completion, json=body)).json()["id"]
    assert (await rate(house, message, key=house.completion, rating="like")).status == 200


async def test_the_app_lists_its_feedback_newest_first(house: Served) -> None:
    messages = [await said(house, user=user) for user in ("u1", "u2", "u3")]
    for number, message in enumerate(messages, 1):
        await rate(house, message, rating="like", content=f"{number}", user=f"u{number}")
    await rate(house, await said(house, key=house.foreign), key=house.foreign, rating="dislike")
    rows = (await house.call("GET", "/v1/app/feedbacks")).json()["data"]
    assert [row["content"] for row in rows] == ["3", "2", "1"]
    row = rows[0]
    assert set(row) == {
        "id", "app_id", "conversation_id", "message_id", "rating", "content", "from_source", "from_end_user_id",
        "from_account_id", "created_at", "updated_at",
    }  # fmt: skip
    assert (row["app_id"], row["from_source"], row["from_account_id"]) == (str(house.chat.app.pk), "user", None)
    assert datetime.fromisoformat(row["created_at"]).tzinfo is not None


async def test_the_list_has_pages(house: Served) -> None:
    for number in range(3):
        await rate(house, await said(house), rating="like", content=str(number))
    for page, expected in (("1", ["2", "1"]), ("2", ["0"]), ("3", [])):
        rows = (await house.call("GET", "/v1/app/feedbacks", params={"page": page, "limit": "2"})).json()["data"]
        assert [row["content"] for row in rows] == expected


@pytest.mark.parametrize("params", [{"page": "0"}, {"limit": "0"}, {"limit": "102"}, {"page": "x"}])
async def test_the_lists_bounds_are_kept(house: Served, params: dict[str, str]) -> None:
    (field,) = params
    assert_error(await house.call("GET", "/v1/app/feedbacks", params=params), 400, "invalid_param", params=field)


async def test_a_hundred_and_one_is_allowed(house: Served) -> None:
    assert (await house.call("GET", "/v1/app/feedbacks", params={"limit": "101"})).status == 200
