"""Idempotency-Key: a POST that is sent again has one effect and one answer, at the same instant and across a restart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from apps.models import Feedback, Message, Run, UploadFile
from difyproj.infra.models import IdempotencyKey
from difyproj.testing.served import Answer, Served, next_frame
from difyproj.testing.upstream import Script

from .contract import assert_error
from .restart import lose_logs, restart
from .test_file_upload import PNG, upload

KEY = {"Idempotency-Key": "order-17"}


def text_of(answer: Answer) -> str:
    return "".join(frame.record["answer"] for frame in answer.frames if frame.event == "message")


async def test_a_stream_is_given_again(house: Served) -> None:
    first = await house.ask(headers=KEY)
    second = await house.ask(headers=KEY)
    assert (second.status, text_of(second)) == (200, text_of(first))
    assert second.body == first.body
    assert await Message.objects.acount() == await Run.objects.acount() == 1


async def test_a_body_is_given_again(house: Served) -> None:
    first, second = [(await house.ask(headers=KEY, response_mode="blocking")) for _ in range(2)]
    assert second.json() == first.json()
    assert await Message.objects.acount() == 1


@pytest.mark.parametrize("mode", ["streaming", "blocking"])
async def test_twenty_at_the_same_instant_make_one_message(house: Served, mode: str) -> None:
    house.upstream.script = Script(tokens=[f"{number} " for number in range(20)], delay=0.01)
    answers = await asyncio.gather(*(house.ask(headers=KEY, response_mode=mode, auto_generate_name=False) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    if mode == "blocking":
        assert len({answer.body for answer in answers}) == 1
    else:
        assert {text_of(answer) for answer in answers} == {house.upstream.script.text}
        assert len({answer.frames[-1].record["task_id"] for answer in answers}) == 1
    assert await Message.objects.acount() == await Run.objects.acount() == await IdempotencyKey.objects.acount() == 1
    assert house.upstream.requests == 1


async def test_a_stream_that_is_still_running_is_joined_from_its_beginning(house: Served) -> None:
    house.upstream.script = Script(tokens=[f"{number} " for number in range(20)], delay=0.01)
    async with house.asking(headers=KEY) as response:
        await next_frame(response)
        second = await house.ask(headers=KEY)
    assert text_of(second) == house.upstream.script.text


async def test_a_failed_run_fails_again_the_same_way(house: Served) -> None:
    house.upstream.script = Script(fail=400, fail_message="No.")
    first = await house.ask(headers=KEY, response_mode="blocking")
    house.upstream.script = Script()
    second = await house.ask(headers=KEY, response_mode="blocking")
    assert_error(first, 400, "completion_request_error")
    assert second.json() == first.json()
    assert await Run.objects.acount() == 1


@pytest.mark.parametrize(
    "change", [{"query": "Other?"}, {"user": "u2"}, {"response_mode": "blocking"}, {"inputs": {"a": 1}}, {"unknown": 1}]
)
async def test_another_body_is_a_conflict(house: Served, change: dict[str, Any]) -> None:
    await house.ask(headers=KEY)
    fields = {"query": "Hello?", **change}
    assert_error(await house.ask(fields.pop("query"), headers=KEY, **fields), 409, "idempotency_conflict")
    assert await Message.objects.acount() == 1


async def test_another_route_is_a_conflict(house: Served) -> None:
    message = (await house.ask(headers=KEY, response_mode="blocking")).json()["id"]
    body = {"user": "u1", "rating": "like"}
    answer = await house.call("POST", f"/v1/messages/{message}/feedbacks", json=body, headers=KEY)
    assert_error(answer, 409, "idempotency_conflict")
    assert not await Feedback.objects.aexists()


async def test_each_app_has_keys_of_its_own(house: Served) -> None:
    for key in (house.chat, house.foreign):
        assert (await house.ask(headers=KEY, key=key)).status == 200
    assert await Message.objects.acount() == 2


@pytest.mark.parametrize("key", ["", "   ", "x" * 256])
async def test_an_unusable_key_is_refused(house: Served, key: str) -> None:
    answer = await house.ask(headers={"Idempotency-Key": key})
    assert_error(answer, 400, "invalid_param", params="Idempotency-Key")
    assert not await Run.objects.aexists()


async def test_a_refused_request_leaves_its_key_free(house: Served) -> None:
    assert (await house.ask("", headers=KEY)).status == 400
    assert (await house.ask("Hello?", headers=KEY)).status == 200
    assert await Message.objects.acount() == 1


@pytest.mark.parametrize("memory_only", [True, False])
@pytest.mark.parametrize("mode", ["streaming", "blocking"])
async def test_the_answer_is_given_again_after_a_restart(house: Served, mode: str, memory_only: bool) -> None:
    first = await house.ask(headers=KEY, response_mode=mode)
    await (restart() if memory_only else lose_logs())
    second = await house.ask(headers=KEY, response_mode=mode)
    if mode == "blocking":
        assert second.json() == first.json()
    else:
        assert text_of(second) == text_of(first)
        assert second.frames[-1].record == first.frames[-1].record
    assert await Message.objects.acount() == 1
    assert_error(await house.ask("Other?", headers=KEY), 409, "idempotency_conflict")


async def test_an_upload_is_kept_once(house: Served) -> None:
    first, second = [await upload(house, headers=KEY) for _ in range(2)]
    assert (first.status, second.status) == (201, 201)
    assert second.json() == first.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert await UploadFile.objects.acount() == 1


@pytest.mark.parametrize("change", [{"content": PNG + b"x"}, {"name": "dog.png"}, {"user": "u2"}])
async def test_another_file_is_a_conflict(house: Served, change: dict[str, Any]) -> None:
    await upload(house, headers=KEY)
    assert_error(await upload(house, headers=KEY, **change), 409, "idempotency_conflict")
    assert await UploadFile.objects.acount() == 1


async def test_uploads_at_the_same_instant_are_kept_once(house: Served) -> None:
    answers = await asyncio.gather(*(upload(house, headers=KEY) for _ in range(10)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await UploadFile.objects.acount() == 1


async def test_a_refused_upload_may_be_sent_again(house: Served) -> None:
    assert (await upload(house, headers=KEY, mime="", name="?")).status == 400
    assert (await upload(house, headers=KEY)).status == 201


async def test_feedback_is_given_once(house: Served) -> None:
    message = (await house.ask(response_mode="blocking")).json()["id"]
    path = f"/v1/messages/{message}/feedbacks"
    for _ in range(2):
        answer = await house.call("POST", path, json={"user": "u1", "rating": "like"}, headers=KEY)
        assert (answer.status, answer.json()) == (200, {"result": "success"})
    revoke = {"Idempotency-Key": "revoke"}
    for _ in range(2):
        assert (await house.call("POST", path, json={"user": "u1", "rating": None}, headers=revoke)).status == 200
    other = await house.call("POST", path, json={"user": "u1", "rating": "dislike"}, headers=KEY)
    assert_error(other, 409, "idempotency_conflict")


async def test_a_name_is_found_once(house: Served) -> None:
    body = (await house.ask(response_mode="blocking", auto_generate_name=False)).json()
    path = f"/v1/conversations/{body['conversation_id']}/name"
    answers = [await house.call("POST", path, json={"user": "u1", "auto_generate": True}, headers=KEY) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert house.upstream.requests == 2


async def test_a_stop_ignores_the_key(house: Served) -> None:
    task = (await house.ask(response_mode="blocking", headers=KEY)).json()["task_id"]
    answer = await house.call("POST", f"/v1/chat-messages/{task}/stop", json={"user": "u1"}, headers=KEY)
    assert answer.status == 200


async def test_a_spoken_text_may_be_asked_for_again(house: Served) -> None:
    await house.configure(house.chat, text_to_speech={"enabled": True})
    for _ in range(2):
        answer = await house.call("POST", "/v1/text-to-audio", json={"user": "u1", "text": "Hi"}, headers=KEY)
        assert answer.status == 200
