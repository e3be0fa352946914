"""Questions of visitors: asked, stopped, asked again, followed, rated; and nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test.utils import override_settings

from accounts.services import sessions
from apps.models import Conversation, Feedback, Message, Run
from difyproj.testing.console import TierClient
from difyproj.testing.served import Answer, Served
from difyproj.testing.upstream import Script
from difyproj.tiers import streaming

from .contract import UNKNOWN_ID, assert_error
from .test_transcripts import said
from .visits import ask, asked, change_app, for_members, passport, visit, web_login, write, written

ONCE = {"Idempotency-Key": "one"}


def text(answer: Answer) -> str:
    return "".join(frame.record["answer"] for frame in answer.frames if frame.event == "message")


async def test_a_visitor_asks_and_the_rows_are_the_visitors(house: Served) -> None:
    visitor = await visit(house)
    answer = await ask(visitor)
    assert (answer.status, text(answer)) == (200, "Hello, world!")
    message = await Message.objects.select_related("run", "conversation", "end_user").aget()
    assert message.run is not None and message.end_user is not None
    assert (message.tier, message.run.tier, message.conversation.tier) == ("web-app", "web-app", "web-app")
    assert (message.end_user.type, message.answer) == ("browser", "Hello, world!")
    assert (await asked(visitor))["answer"] == "Hello, world!"


async def test_without_a_mode_the_answer_is_blocking(house: Served) -> None:
    visitor = await visit(house)
    answer = await visitor.post("/chat-messages", {"inputs": {}, "query": "Hello?"})
    assert (answer.headers["Content-Type"], answer.json()["mode"]) == ("application/json", "chat")


async def test_costs_are_nobody_elses_business(house: Served) -> None:
    visitor = await visit(house)
    assert (await asked(visitor))["metadata"] == {"retriever_resources": []}
    end = (await ask(visitor)).frames[-1].record
    assert (end["event"], end["metadata"]) == ("message_end", {"retriever_resources": []})
    assert (await Message.objects.afirst()).metadata["usage"]["total_tokens"] == 10  # type: ignore[union-attr]


async def test_a_conversation_goes_on(house: Served) -> None:
    visitor = await visit(house)
    first = await asked(visitor, "One?")
    second = await asked(visitor, "Two?", conversation_id=first["conversation_id"], parent_message_id=first["id"])
    assert second["conversation_id"] == first["conversation_id"]
    assert [turn["content"] for turn in house.upstream.last.body["messages"]][-3:] == ["One?", "Hello, world!", "Two?"]


async def test_a_conversation_has_no_name_until_its_page_asks_for_one(house: Served) -> None:
    visitor = await visit(house)
    body = (await visitor.post("/chat-messages", {"inputs": {}, "query": "Hello?"})).json()
    assert ((await Conversation.objects.aget()).name, house.upstream.requests) == ("", 1)
    await visitor.post(f"/conversations/{body['conversation_id']}/name", {"auto_generate": True})
    assert ((await Conversation.objects.aget()).name, house.upstream.requests) == ("Hello, world!", 2)


async def test_a_text_is_written(house: Served) -> None:
    visitor = await visit(house, house.completion)
    body = await written(visitor)
    assert ("conversation_id" in body, body["mode"], body["answer"]) == (False, "completion", "Hello, world!")
    assert text(await write(visitor)) == "Hello, world!"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"query": "x"}, "inputs"),
        ({"inputs": [], "query": "x"}, "inputs"),
        ({"inputs": {}}, "query"),
        ({"inputs": {}, "query": " "}, "query"),
        ({"inputs": {}, "query": "x", "response_mode": "telepathy"}, "response_mode"),
        ({"inputs": {}, "query": "x", "conversation_id": "no-uuid"}, "conversation_id"),
        ({"inputs": {}, "query": "x", "files": [{"type": "image"}]}, "files.0.transfer_method"),
    ],
)
async def test_wrong_questions_are_refused(house: Served, body: dict[str, Any], field: str) -> None:
    visitor = await visit(house)
    answer = await visitor.post("/chat-messages", body)
    assert_error(answer, 400, "invalid_param")
    assert field.split(".")[0] in answer.json()["params"]
    assert not await Message.objects.aexists()


async def test_each_family_has_its_own_routes(house: Served) -> None:
    chat, completion = await visit(house), await visit(house, house.completion)
    for method, path in (
        ("POST", "/chat-messages"), ("POST", "/chat-messages/x/stop"), ("GET", "/conversations"), ("GET", "/messages"),
        ("DELETE", f"/conversations/{UNKNOWN_ID}"), ("PATCH", f"/conversations/{UNKNOWN_ID}/pin"),
        ("GET", f"/messages/{UNKNOWN_ID}/suggested-questions"),
    ):  # fmt: skip
        assert_error(await completion.call(method, path), 400, "not_chat_app")
    for method, path in (
        ("POST", "/completion-messages"), ("POST", "/completion-messages/x/stop"), ("GET", "/saved-messages"),
        ("POST", "/saved-messages"), ("DELETE", f"/saved-messages/{UNKNOWN_ID}"),
        ("GET", f"/messages/{UNKNOWN_ID}/more-like-this"),
    ):  # fmt: skip
        assert_error(await chat.call(method, path), 400, "not_completion_app")


async def test_another_visitors_conversation_is_not_found(house: Served) -> None:
    conversation = (await asked(await visit(house)))["conversation_id"]
    for other in (await visit(house), await visit(house, house.foreign)):
        assert_error(await ask(other, conversation_id=conversation), 404, "not_found")
    assert_error(await house.ask(conversation_id=conversation), 404, "not_found")
    assert await Message.objects.acount() == 1


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_only_the_visitor_stops_an_answer(house: Served, family: str) -> None:
    house.upstream.script = Script(tokens=["One", " two"], delay=0.05, hang="end")
    key = house.chat if family == "chat" else house.completion
    visitor, stranger = await visit(house, key), await visit(house, key)
    asking = asyncio.create_task(ask(visitor) if family == "chat" else write(visitor))
    run = await said(" two")
    path = f"/{family}-messages/{run.reply.run_id}/stop"
    assert (await stranger.post(path)).json() == {"result": "success"}
    assert (await house.call("POST", f"/v1{path}", key=key, json={"user": "u1"})).status == 200
    assert (await Run.objects.aget()).status == "running"
    assert (await visitor.post(path)).json() == {"result": "success"}
    assert (await asking).frames[-1].event == "message_end"
    assert (await Run.objects.aget()).status == "stopped"
    assert (await visitor.post(f"/{family}-messages/no-uuid/stop")).json() == {"result": "success"}


async def test_a_run_is_followed_again_by_its_visitor_alone(house: Served) -> None:
    visitor = await visit(house)
    first = await ask(visitor)
    task = first.frames[0].record["task_id"]
    assert (await visitor.get(f"/runs/{task}/events")).body == first.body
    rest = await visitor.call("GET", f"/runs/{task}/events", headers={"Last-Event-ID": str(first.frames[0].id)})
    assert rest.frames == first.frames[1:]
    assert (await visitor.get(f"/runs/{task}/events", after=str(first.frames[0].id))).frames == first.frames[1:]
    for stranger in (await visit(house), await visit(house, house.completion), await visit(house, house.foreign)):
        assert_error(await stranger.get(f"/runs/{task}/events"), 404, "not_found")
    for params in ({"user": "u1"}, {}):
        assert_error(await house.call("GET", f"/v1/runs/{task}/events", params=params), 404, "not_found")
    for unknown in (UNKNOWN_ID, "no-uuid"):
        assert_error(await visitor.get(f"/runs/{unknown}/events"), 404, "not_found")


async def test_one_key_is_one_question_of_one_visitor(house: Served) -> None:
    visitor, other = await visit(house), await visit(house)
    body = {"inputs": {}, "query": "Hello?", "response_mode": "blocking"}
    first, again = [await visitor.post("/chat-messages", body, headers=ONCE) for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    assert await Message.objects.acount() == 1
    theirs = await other.post("/chat-messages", body, headers=ONCE)
    assert (theirs.status, theirs.json()["id"] == first.json()["id"]) == (200, False)


@override_settings(WEB_USER_RATE="2/d")
async def test_a_visitor_who_asks_too_often_waits(house: Served) -> None:
    visitor, other = await visit(house), await visit(house)
    assert [(await ask(visitor)).status for _ in range(2)] == [200, 200]
    refused = await ask(visitor)
    assert_error(refused, 429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("2", "0")
    assert await Message.objects.acount() == 2
    assert (await ask(other)).status == 200
    assert (await visitor.get("/conversations")).status == 200


@override_settings(WEB_PLACE_RATE="2/d")
async def test_another_passport_buys_no_more_questions(house: Served) -> None:
    assert [(await ask(await visit(house))).status for _ in range(3)] == [200, 200, 429]
    named = await visit(house, user_id="ann")
    refused = await ask(named)
    assert_error(refused, 429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) >= 1
    assert await Message.objects.acount() == 2
    assert (await write(await visit(house, house.completion))).status == 200
    assert (await named.get("/conversations")).status == 200


@override_settings(WEB_PLACE_RATE="1/d")
async def test_members_do_not_count_for_their_office(house: Served) -> None:
    await for_members(house.chat)
    for person in (house.cast.alice, house.cast.norma):
        login = await web_login(person)
        given = await passport(house, headers={"Authorization": f"Bearer {login.access}"})
        member = TierClient(house, "/api", {"X-App-Passport": given.json()["access_token"], "Authorization": ""})
        assert (await ask(member)).status == 200


async def again(visitor: TierClient, message: str, mode: str = "blocking") -> Answer:
    return await visitor.get(f"/messages/{message}/more-like-this", **({"response_mode": mode} if mode else {}))


async def test_more_like_this_asks_the_same_with_more_courage(house: Served) -> None:
    await house.configure(house.completion, more_like_this={"enabled": True})
    visitor = await visit(house, house.completion)
    first = await written(visitor, "dolphins")
    house.upstream.script = Script(tokens=["Another", " one"])
    answer = await again(visitor, first["id"])
    assert (answer.status, answer.json()["answer"]) == (200, "Another one")
    assert house.upstream.last.body["temperature"] == 0.9
    assert "dolphins" in str(house.upstream.last.body["messages"])
    assert text(await again(visitor, first["id"], "streaming")) == "Another one"
    rows = [row async for row in Message.objects.order_by("created_at")]
    assert len(rows) == 3
    assert all((row.inputs, row.query, row.end_user_id) == (rows[0].inputs, rows[0].query, rows[0].end_user_id) for row in rows)
    assert answer.json()["id"] == str(rows[1].pk) != first["id"]


async def test_more_like_this_has_its_refusals(house: Served) -> None:
    visitor, stranger = await visit(house, house.completion), await visit(house, house.completion)
    message = (await written(visitor))["id"]
    assert_error(await again(visitor, message), 403, "app_more_like_this_disabled")
    await house.configure(house.completion, more_like_this={"enabled": True})
    for mode in ("", "telepathy"):
        assert_error(await again(visitor, message, mode), 400, "invalid_param", params="response_mode")
    for unknown in (UNKNOWN_ID, "no-uuid"):
        assert_error(await again(visitor, unknown), 404, "not_found")
    assert_error(await again(stranger, message), 404, "not_found")
    assert await Message.objects.acount() == 1


async def test_questions_are_suggested(house: Served) -> None:
    visitor, stranger = await visit(house), await visit(house)
    message = (await asked(visitor))["id"]
    path = f"/messages/{message}/suggested-questions"
    assert_error(await visitor.get(path), 403, "app_suggested_questions_after_answer_disabled")
    await house.configure(house.chat, suggested_questions_after_answer={"enabled": True})
    house.upstream.script = Script(tokens=['["How big?"]'])
    assert (await visitor.get(path)).json() == {"data": ["How big?"]}
    assert_error(await stranger.get(path), 404, "not_found")
    assert_error(await visitor.get("/messages/no-uuid/suggested-questions"), 404, "not_found")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_an_answer_is_rated_and_the_rating_taken_back(house: Served, family: str) -> None:
    visitor = await visit(house, house.chat if family == "chat" else house.completion)
    message = (await asked(visitor) if family == "chat" else await written(visitor))["id"]
    path = f"/messages/{message}/feedbacks"
    for rating in ("like", "dislike"):
        assert (await visitor.post(path, {"rating": rating, "content": "So."})).json() == {"result": "success"}
        row = await Feedback.objects.aget()
        assert (row.rating, row.content, row.from_source) == (rating, "So.", "user")
    assert (await visitor.post(path, {"rating": None})).json() == {"result": "success"}
    assert not await Feedback.objects.aexists()
    assert_error(await visitor.post(path, {"rating": None}), 400, "invalid_param", params="rating")
    assert_error(await visitor.post(path, {"rating": "great"}), 400, "invalid_param", params="rating")


async def test_strangers_rate_nothing(house: Served) -> None:
    message = (await asked(await visit(house)))["id"]
    for stranger in (await visit(house), await visit(house, house.foreign), await visit(house, house.completion)):
        assert_error(await stranger.post(f"/messages/{message}/feedbacks", {"rating": "like"}), 404, "not_found")
    assert not await Feedback.objects.aexists()


async def test_a_page_that_is_switched_off_takes_no_question(house: Served) -> None:
    visitor = await visit(house)
    await change_app(house.chat, enable_site=False)
    assert_error(await ask(visitor), 400, "bad_request")
    assert not await Conversation.objects.aexists()


async def test_a_members_stream_ends_with_the_session(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "RECHECK_SECONDS", 0.05)
    await for_members(house.chat)
    house.upstream.script = Script(tokens=["One"], hang="end")
    login = await web_login(house.cast.norma)
    given = (await passport(house, headers={"Authorization": f"Bearer {login.access}"})).json()["access_token"]
    member = TierClient(house, "/api", {"X-App-Passport": given, "Authorization": ""})
    asking = asyncio.create_task(ask(member))
    run = await said("One")
    following = asyncio.create_task(member.get(f"/runs/{run.reply.run_id}/events"))
    await asyncio.sleep(0.1)
    assert not asking.done()
    await sync_to_async(sessions.close)(login.session_id)
    for task in (asking, following):
        *_, last = (await task).body.decode().strip().split("\n\n")
        assert '"code":"unauthorized"' in last or '"code":"web_app_auth_required"' in last
