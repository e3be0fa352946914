"""Websockets of visitors: the same records as the stream, for passports, from pages that the site lets call."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.test.utils import override_settings

from accounts.services import sessions
from apps.models import Message, Run
from difyproj.testing.console import TierClient
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from difyproj.tiers import sockets

from .contract import UNKNOWN_ID
from .talk import talk, text_of
from .visits import ask, change_app, change_site, for_members, passport, visit, web_login

CHAT = "/api/ws/chat"
PAGE = {"Origin": "https://page.example"}


def token(visitor: TierClient) -> str:
    return visitor.headers["X-App-Passport"]


async def test_a_question_is_answered_with_the_records_of_the_stream(house: Served) -> None:
    visitor = await visit(house)
    streamed = (await ask(visitor)).frames
    async with talk(house, CHAT, token=token(visitor)) as socket:
        assert socket.socket.protocol == "bearer"
        await socket.send(action="send", inputs={}, query="Hello?", auto_generate_name=False)
        heard = await socket.hear_until("message_end")
    assert [set(record) - {"event_id"} for record in heard] == [set(frame.record) for frame in streamed]
    assert heard[-1]["metadata"] == {"retriever_resources": []}
    message = await Message.objects.select_related("end_user").aget(pk=heard[0]["message_id"])
    assert (message.tier, message.end_user.type) == ("web-app", "browser")  # type: ignore[union-attr]


async def test_the_passport_may_come_in_the_first_message(house: Served) -> None:
    visitor = await visit(house, house.completion)
    async with talk(house, CHAT, token=None) as socket:
        await socket.send(token=token(visitor))
        await socket.send(inputs={"query": "whales"})
        heard = await socket.hear_until("message_end")
    assert (text_of(heard), "conversation_id" in heard[0]) == ("Hello, world!", False)


async def test_what_is_no_passport_opens_nothing(house: Served) -> None:
    member = await web_login(house.cast.norma)
    for wrong in ("nonsense", house.chat.token, member.access):
        async with talk(house, CHAT, token=wrong) as socket:
            assert (await socket.hear())["code"] == "unauthorized"
            assert await socket.closed() == 4401
    async with talk(house, "/ws/chat", token=token(await visit(house))) as socket:
        assert await socket.closed() == 4401


async def test_a_visitor_stops_only_answers_of_their_own(house: Served) -> None:
    house.upstream.script = Script(tokens=["One"], hang="end")
    visitor, stranger = await visit(house), await visit(house)
    async with talk(house, CHAT, token=token(visitor)) as socket:
        await socket.send(action="send", inputs={}, query="Hello?")
        task = (await socket.hear())["task_id"]
        async with talk(house, CHAT, token=token(stranger)) as other:
            await other.send(action="stop", task_id=task)
            assert (await other.hear())["event"] == "stop"
        assert (await Run.objects.aget()).status == "running"
        await socket.send(action="stop", task_id=task)
        assert {record["event"] for record in [await socket.hear(), await socket.hear()]} == {"stop", "message_end"}


async def test_a_run_is_followed_by_its_visitor_alone(house: Served) -> None:
    visitor = await visit(house)
    frames = (await ask(visitor)).frames
    path = f"/api/ws/runs/{frames[0].record['task_id']}"
    async with talk(house, f"{path}?after={frames[0].id}", token=token(visitor)) as socket:
        heard = await socket.hear_until("message_end")
        assert [record["event_id"] for record in heard] == [frame.id for frame in frames[1:]]
        await socket.closed()
    for stranger in (await visit(house), await visit(house, house.completion), await visit(house, house.foreign)):
        async with talk(house, path, token=token(stranger)) as socket:
            assert (await socket.hear())["code"] == "not_found"
            assert await socket.closed() == 4404
    for unknown in (UNKNOWN_ID, "no-uuid"):
        async with talk(house, f"/api/ws/runs/{unknown}", token=token(visitor)) as socket:
            assert await socket.closed() == 4404


async def test_the_sites_own_origins_win_over_the_instances(house: Served) -> None:
    visitor = await visit(house)
    async with talk(house, CHAT, token=token(visitor), headers=PAGE) as socket:
        await socket.send(inputs={}, query="Hello?")
        assert (await socket.hear())["event"] == "message"
    await change_site(house.chat, cors_origins=["https://other.example"])
    async with talk(house, CHAT, token=token(visitor), headers=PAGE) as socket:
        assert (await socket.hear())["code"] == "forbidden"
        assert await socket.closed() == 4403
    for origin in ("https://other.example", house.url):
        async with talk(house, CHAT, token=token(visitor), headers={"Origin": origin}) as socket:
            await socket.send(inputs={}, query="Hello?")
            assert (await socket.hear())["event"] == "message"


@override_settings(WEB_API_CORS_ALLOW_ORIGINS=["https://named.example"])
async def test_a_site_without_origins_takes_those_of_the_instance(house: Served) -> None:
    visitor = await visit(house)
    for origin, code in (("https://named.example", None), ("https://page.example", "forbidden"), ("null", "forbidden")):
        async with talk(house, CHAT, token=token(visitor), headers={"Origin": origin}) as socket:
            await socket.send(inputs={}, query="Hello?")
            assert (await socket.hear()).get("code") == code


async def test_a_socket_ends_with_its_access(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "RECHECK_SECONDS", 0.05)
    visitor = await visit(house)
    async with talk(house, CHAT, token=token(visitor)) as socket:
        await change_app(house.chat, enable_site=False)
        assert (await socket.hear())["code"] == "bad_request"
        assert await socket.closed() == 4400
    await change_app(house.chat, enable_site=True)
    await for_members(house.chat)
    member = await web_login(house.cast.norma)
    given = (await passport(house, headers={"Authorization": f"Bearer {member.access}"})).json()["access_token"]
    async with talk(house, CHAT, token=given) as socket:
        await socket.send(inputs={}, query="Hello?")
        await socket.hear_until("message_end")
        await sync_to_async(sessions.close)(member.session_id)
        assert (await socket.hear_until("error"))[-1]["code"] == "web_app_auth_required"
        assert await socket.closed() == 4401


@override_settings(WEB_USER_RATE="1/d")
async def test_sockets_count_like_posts(house: Served) -> None:
    visitor = await visit(house)
    assert (await ask(visitor)).status == 200
    async with talk(house, CHAT, token=token(visitor)) as socket:
        await socket.send(inputs={}, query="Hello?")
        assert (await socket.hear())["code"] == "too_many_requests"
