"""Stop: the upstream goes, the reader gets the contract's end, what was said and what it cost is kept."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from apps.models import Message, Run
from difyproj.kernel import clock
from difyproj.testing.served import Answer, Frame, Key, Served, next_frame, parse_frames
from difyproj.testing.upstream import Script

from .contract import UNKNOWN_ID, assert_error

SLOW = Script(tokens=["one", " two", " three", *[" more"] * 500], delay=0.02, usage=(7, 503))


async def stop(house: Served, task: str, *, user: Any = "u1", key: Key | None = None, family: str = "chat") -> Answer:
    return await house.call("POST", f"/v1/{family}-messages/{task}/stop", key=key, json={"user": user})


async def rest(response: aiohttp.ClientResponse) -> list[Frame]:
    return parse_frames(await response.read())


async def begun(response: aiohttp.ClientResponse) -> Frame:
    """The third frame: the model has said something by then."""
    for _ in range(2):
        await next_frame(response)
    return await next_frame(response)


async def test_stop_ends_the_stream_and_keeps_what_was_said(house: Served) -> None:
    house.upstream.script = SLOW
    async with house.asking() as response:
        task = (await begun(response)).record["task_id"]
        began = clock.monotonic()
        answer = await stop(house, task)
        await house.upstream.until(lambda: house.upstream.aborted == 1)
        assert clock.monotonic() - began < 1
        frames = await rest(response)
    assert (answer.status, answer.json()) == (200, {"result": "success"})
    assert frames[-1].event == "message_end"
    message = await Message.objects.select_related("run").aget()
    assert message.run is not None
    assert (message.run.status, message.status, message.error) == ("stopped", "normal", None)
    assert message.answer.startswith("one two three")
    assert len(message.answer) < 500
    usage = frames[-1].record["metadata"]["usage"]
    assert usage["completion_tokens"] == message.answer_tokens == len(message.answer.split())
    assert usage["prompt_tokens"] == message.message_tokens > 5
    assert usage["total_tokens"] == message.run.total_tokens


async def test_the_reader_saw_exactly_what_is_kept(house: Served) -> None:
    house.upstream.script = SLOW
    async with house.asking() as response:
        first = await next_frame(response)
        await stop(house, first.record["task_id"])
        seen = [first, *await rest(response)]
    text = "".join(frame.record["answer"] for frame in seen if frame.event == "message")
    assert text == (await Message.objects.aget()).answer


async def test_a_run_is_stopped_before_its_first_token(house: Served) -> None:
    house.upstream.script = Script(hang="first")
    async with house.asking() as response:
        await house.upstream.until(lambda: house.upstream.open == 1)
        run = await Run.objects.aget()
        await stop(house, str(run.pk))
        await house.upstream.until(lambda: house.upstream.aborted == 1, 1)
        frames = await rest(response)
    assert [frame.event for frame in frames] == ["message_end"]
    assert frames[0].record["metadata"]["usage"]["completion_tokens"] == 0
    message = await Message.objects.aget()
    assert (message.answer, message.status) == ("", "normal")


async def test_a_run_in_blocking_mode_is_stopped_too(house: Served) -> None:
    house.upstream.script = SLOW
    asking = asyncio.create_task(house.ask(response_mode="blocking"))
    await house.upstream.until(lambda: house.upstream.open == 1)
    await asyncio.sleep(0.1)
    run = await Run.objects.aget()
    await stop(house, str(run.pk))
    answer = await asking
    assert (answer.status, answer.json()["task_id"]) == (200, str(run.pk))
    message = await Message.objects.aget()
    assert answer.json()["answer"] == message.answer
    assert message.answer.startswith("one")
    await run.arefresh_from_db()
    assert run.status == "stopped"


async def test_a_completion_is_stopped_by_its_own_route(house: Served) -> None:
    house.upstream.script = SLOW
    body = {"inputs": {"query": "x"}, "user": "u1", "response_mode": "streaming"}
    headers = {"Authorization": f"Bearer {house.completion.token}"}
    async with house.client.post(f"{house.url}/v1/completion-messages", json=body, headers=headers) as response:
        task = (await next_frame(response)).record["task_id"]
        assert (await stop(house, task, key=house.completion, family="completion")).status == 200
        assert (await rest(response))[-1].event == "message_end"
    assert (await Run.objects.aget()).status == "stopped"


async def test_strangers_hear_success_and_stop_nothing(house: Served) -> None:
    house.upstream.script = SLOW
    async with house.asking() as response:
        task = (await next_frame(response)).record["task_id"]
        for key, user in ((house.chat, "u2"), (house.foreign, "u1"), (house.chat, "DEFAULT-USER")):
            answer = await stop(house, task, user=user, key=key)
            assert (answer.status, answer.json()) == (200, {"result": "success"})
        other = await stop(house, task, key=house.completion, family="completion")
        assert other.json() == {"result": "success"}
        for _ in range(5):
            assert (await next_frame(response)).event == "message"
        assert (await Run.objects.aget()).status == "running"
        assert house.upstream.aborted == 0
        await stop(house, task)
        assert (await rest(response))[-1].event == "message_end"


@pytest.mark.parametrize("task", [UNKNOWN_ID, "no-uuid", "x" * 300])
async def test_an_unknown_task_is_a_success(house: Served, task: str) -> None:
    answer = await stop(house, task)
    assert (answer.status, answer.json()) == (200, {"result": "success"})


async def test_a_finished_run_stays_finished(house: Served) -> None:
    task = (await house.ask(response_mode="blocking")).json()["task_id"]
    assert (await stop(house, task)).status == 200
    assert (await Run.objects.aget()).status == "succeeded"


@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": None}])
async def test_the_user_is_required(house: Served, body: dict[str, Any]) -> None:
    answer = await house.call("POST", f"/v1/chat-messages/{UNKNOWN_ID}/stop", json=body)
    assert_error(answer, 400, "invalid_param", params="user")


async def test_stopping_twice_is_stopping_once(house: Served) -> None:
    house.upstream.script = SLOW
    async with house.asking() as response:
        task = (await next_frame(response)).record["task_id"]
        answers = await asyncio.gather(*(stop(house, task) for _ in range(5)))
        assert {answer.status for answer in answers} == {200}
        ends = [frame for frame in await rest(response) if frame.event != "message"]
    assert [frame.event for frame in ends] == ["message_end"]
