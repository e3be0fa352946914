"""ws/chat: the same questions, records and refusals as over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from django.test.utils import override_settings

from apps.models import ApiToken, Message, Run
from apps.models.token import TokenKind
from apps.services import tokens
from difyproj.testing.flows import ECHO, make_flow
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from difyproj.tiers import sockets, streaming

from .contract import UNKNOWN_ID
from .talk import talk, text_of

SLOW = Script(tokens=["x "] * 500, delay=0.02)


async def test_a_question_is_answered_with_the_records_of_the_stream(house: Served) -> None:
    streamed = (await house.ask(auto_generate_name=False)).frames
    async with talk(house) as socket:
        assert socket.socket.protocol == "bearer"
        await socket.ask(auto_generate_name=False)
        heard = await socket.hear_until("message_end")
    assert [set(record) - {"event_id"} for record in heard] == [set(frame.record) for frame in streamed]
    assert [record["event_id"] for record in heard] == [frame.id for frame in streamed]
    assert text_of(heard) == "Hello, world!"
    message = await Message.objects.aget(pk=heard[0]["message_id"])
    assert (message.answer, message.query) == ("Hello, world!", "Hello?")


async def test_the_token_may_come_in_the_first_message(house: Served) -> None:
    async with talk(house, token=None) as socket:
        assert socket.socket.protocol is None
        await socket.send(token=house.chat.token)
        await socket.ask()
        assert text_of(await socket.hear_until("message_end")) == "Hello, world!"


async def test_a_completion_app_writes_over_the_socket_too(house: Served) -> None:
    async with talk(house, token=house.completion.token) as socket:
        await socket.send(inputs={"query": "whales"}, user="u1", trace_id="t-1")
        heard = await socket.hear_until("message_end")
    assert "conversation_id" not in heard[0]
    assert (await Run.objects.aget()).trace_id == "t-1"


async def test_a_workflow_runs_over_the_socket_too(house: Served) -> None:
    flow = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    async with talk(house, token=flow.token) as socket:
        await socket.send(inputs={"word": "hello"}, user="u1")
        heard = await socket.hear_until("workflow_finished")
        await socket.send(inputs={}, user="u1")
        refused = (await socket.hear_until("error"))[-1]
    assert heard[-1]["data"]["outputs"] == {"said": "hello"}
    assert (refused["code"], refused["status"]) == ("invalid_param", 400)
    assert (await Run.objects.aget()).mode == "workflow"


async def test_one_socket_holds_a_conversation(house: Served) -> None:
    async with talk(house) as socket:
        await socket.ask("One?")
        first = (await socket.hear_until("message_end"))[-1]
        await socket.ask("Two?", conversation_id=first["conversation_id"])
        second = (await socket.hear_until("message_end"))[-1]
    assert second["conversation_id"] == first["conversation_id"]
    assert await Message.objects.filter(conversation_id=first["conversation_id"]).acount() == 2


@pytest.mark.parametrize("token", ["app-wrong", "x" * 1000])
async def test_a_wrong_token_is_told_and_closed(house: Served, token: str) -> None:
    async with talk(house, token=token) as socket:
        record = await socket.hear()
        assert (record["event"], record["code"], record["status"]) == ("error", "unauthorized", 401)
        assert await socket.closed() == 4401


@pytest.mark.parametrize("greeting", [{"token": "app-wrong"}, {"token": ""}, {"token": None}, {"query": "x"}, {"token": ["x"]}])
async def test_a_wrong_greeting_is_told_and_closed(house: Served, greeting: dict[str, Any]) -> None:
    async with talk(house, token=None) as socket:
        await socket.send(**greeting)
        assert (await socket.hear())["status"] == 401
        assert await socket.closed() == 4401
    assert not await Run.objects.aexists()


async def test_a_knowledge_key_does_not_open_the_socket(house: Served) -> None:
    _, raw = await sync_to_async(tokens.create)(tenant=house.cast.alice.tenant, kind=TokenKind.DATASET)
    async with talk(house, token=raw) as socket:
        assert await socket.closed() == 4401


async def test_a_token_in_the_address_counts_for_nothing(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "GREETING_SECONDS", 0.1)
    async with talk(house, f"/ws/chat?token={house.chat.token}", token=None) as socket:
        assert await socket.closed() == 4401


async def test_who_says_nothing_is_sent_away(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "GREETING_SECONDS", 0.1)
    async with talk(house, token=None) as socket:
        assert (await socket.hear())["status"] == 401
        assert await socket.closed() == 4401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", "http://[", "http://[x]"]
)
async def test_pages_of_other_hosts_are_refused(house: Served, origin: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with talk(house, headers={"Origin": origin}):
            pass
    assert refusal.value.status == 403


async def test_pages_of_this_host_and_of_named_ones_are_let_in(house: Served) -> None:
    with override_settings(WEBSOCKET_ORIGINS=["https://shop.example"]):
        for origin in (house.url, "https://shop.example"):
            async with talk(house, headers={"Origin": origin}) as socket:
                await socket.ask()
                await socket.hear_until("message_end")


@pytest.mark.parametrize(
    ("sent", "code", "params"),
    [
        ("{", "invalid_param", None),
        ("[]", "invalid_param", None),
        ("17", "invalid_param", None),
        (b"bytes", "invalid_param", None),
        ('{"action": "dance"}', "invalid_param", "action"),
        ('{"action": ["send"]}', "invalid_param", "action"),
        ("{}", "invalid_param", "inputs"),
        ('{"inputs": {}, "query": "x"}', "invalid_param", "user"),
        ('{"inputs": {}, "query": " ", "user": "u1"}', "invalid_param", "query"),
        ('{"inputs": {}, "query": "x", "user": "a\\u0000b"}', "invalid_param", "user"),
        (f'{{"inputs": {{}}, "query": "x", "user": "u1", "conversation_id": "{UNKNOWN_ID}"}}', "not_found", None),
        ('{"action": "stop"}', "invalid_param", "user"),
        ('{"action": "stop", "user": "a\\u0000b", "task_id": "x"}', "invalid_param", "user"),
    ],
)
async def test_a_message_that_is_not_understood_leaves_the_socket_open(
    house: Served, sent: str | bytes, code: str, params: str | None
) -> None:
    async with talk(house) as socket:
        await (socket.socket.send_bytes(sent) if isinstance(sent, bytes) else socket.socket.send_str(sent))
        record = await socket.hear()
        assert (record["event"], record["code"], record.get("params")) == ("error", code, params)
        await socket.ask()
        assert text_of(await socket.hear_until("message_end")) == "Hello, world!"


async def test_a_very_long_message_is_refused(house: Served) -> None:
    async with talk(house) as socket:
        await socket.ask("x" * (1024 * 1024 + 1))
        assert (await socket.hear())["code"] == "invalid_param"


async def test_a_providers_refusal_is_the_error_record_of_the_stream(house: Served) -> None:
    house.upstream.script = Script(fail=400, fail_message="No.")
    async with talk(house) as socket:
        await socket.ask()
        (record,) = await socket.hear_until("error")
    assert (record["status"], record["code"]) == (400, "completion_request_error")
    assert "task_id" not in record


async def test_a_run_is_stopped_over_the_socket(house: Served) -> None:
    house.upstream.script = SLOW
    async with talk(house) as socket:
        await socket.ask()
        task = (await socket.hear())["task_id"]
        await socket.send(action="stop", task_id=task, user="u2")
        assert (await socket.hear_until("stop"))[-1]["result"] == "success"
        assert (await Run.objects.aget()).status == "running"
        await socket.send(action="stop", task_id=task, user="u1")
        first = (await socket.hear_until("stop", "message_end"))[-1]["event"]
        other = (await socket.hear_until("stop", "message_end"))[-1]["event"]
        assert {first, other} == {"stop", "message_end"}
    assert (await Run.objects.aget()).status == "stopped"


async def test_leaving_does_not_stop_the_run(house: Served) -> None:
    house.upstream.script = Script(tokens=["x "] * 20, delay=0.01)
    async with talk(house) as socket:
        await socket.ask()
        await socket.hear()
    for _ in range(200):
        if (await Run.objects.aget()).status == "succeeded":
            break
        await asyncio.sleep(0.01)
    assert (await Message.objects.aget()).answer == "x " * 20


async def test_a_key_that_is_switched_off_closes_its_sockets(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "RECHECK_SECONDS", 0.1)
    house.upstream.script = SLOW
    async with talk(house) as socket, talk(house, token=house.completion.token) as other:
        await socket.ask()
        await socket.hear()
        row = await ApiToken.objects.aget(app=house.chat.app)
        await sync_to_async(tokens.set_active)(row, is_active=False)
        assert (await socket.hear_until("error"))[-1]["code"] == "unauthorized"
        assert await socket.closed(1) == 4401
        await other.send(inputs={"query": "x"}, user="u1")
        assert (await other.hear())["event"] == "message"


async def test_sockets_count_against_the_keys_rate(house: Served) -> None:
    with override_settings(API_TOKEN_RATE="1/m"):
        async with talk(house) as socket:
            await socket.ask()
            await socket.hear_until("message_end")
            await socket.ask()
            assert (await socket.hear())["code"] == "too_many_requests"


async def test_quiet_sockets_are_pinged(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.05)
    house.upstream.script = Script(first_delay=0.3)
    async with talk(house) as socket:
        await socket.ask()
        events = [record["event"] for record in await socket.hear_until("message_end")]
    assert events.count("ping") >= 2
    assert events[0] == "ping"


@pytest.mark.parametrize("path", ["/ws", "/ws/", "/ws/chat/", "/ws/nope", "/v1/chat-messages", "/"])
async def test_there_are_no_other_sockets(house: Served, path: str) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
        async with talk(house, path):
            pass
    assert refusal.value.status == 403
