"""A client that leaves changes nothing about the run; a client that comes back finds it."""

from __future__ import annotations

import asyncio

import pytest

from apps.models import Message, Run
from difyproj.testing.served import Served, next_frame
from difyproj.testing.upstream import Script

SCRIPT = Script(tokens=[f"{number} " for number in range(30)], delay=0.01)
TEXT = SCRIPT.text


async def ended(house: Served) -> Run:
    for _ in range(300):
        run = await Run.objects.aget()
        if run.status != "running":
            return run
        await asyncio.sleep(0.01)
    raise AssertionError("The run does not end.")


async def test_the_run_goes_on_without_its_reader(house: Served) -> None:
    house.upstream.script = SCRIPT
    async with house.asking() as response:
        await next_frame(response)
        response.close()
    run = await ended(house)
    message = await Message.objects.aget()
    assert (run.status, message.answer, message.status) == ("succeeded", TEXT, "normal")
    assert house.upstream.aborted == 0


async def test_a_reader_of_one_body_may_leave_too(house: Served) -> None:
    house.upstream.script = SCRIPT
    asking = asyncio.create_task(house.ask(response_mode="blocking"))
    await house.upstream.until(lambda: house.upstream.open == 1)
    asking.cancel()
    assert (await ended(house)).status == "succeeded"
    assert (await Message.objects.aget()).answer == TEXT


async def test_who_comes_back_reads_on_where_the_line_broke(house: Served) -> None:
    house.upstream.script = SCRIPT
    async with house.asking() as response:
        seen = [await next_frame(response) for _ in range(3)]
        response.close()
    task = seen[0].record["task_id"]
    again = await house.call(
        "GET", f"/v1/runs/{task}/events", params={"user": "u1"}, headers={"Last-Event-ID": str(seen[-1].id)}
    )
    frames = [*seen, *again.frames]
    assert "".join(frame.record["answer"] for frame in frames if frame.event == "message") == TEXT
    assert frames[-1].event == "message_end"
    numbers = [frame.id for frame in frames]
    assert numbers == sorted(set(numbers))
    assert await Message.objects.acount() == 1


@pytest.mark.parametrize("readers", [5])
async def test_many_readers_see_the_same(house: Served, readers: int) -> None:
    house.upstream.script = SCRIPT
    async with house.asking() as response:
        task = (await next_frame(response)).record["task_id"]
        answers = await asyncio.gather(
            *(house.call("GET", f"/v1/runs/{task}/events", params={"user": "u1"}) for _ in range(readers))
        )
    texts = {"".join(f.record["answer"] for f in answer.frames if f.event == "message") for answer in answers}
    assert texts == {TEXT}
    assert len({tuple(frame.id for frame in answer.frames)[-1] for answer in answers}) == 1
