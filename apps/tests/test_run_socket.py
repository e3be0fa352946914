"""ws/runs/{task_id}: a run's records again, from any id, for whoever asked."""

from __future__ import annotations

import pytest

from difyproj.testing.served import Served, next_frame
from difyproj.testing.upstream import Script

from .contract import UNKNOWN_ID
from .restart import lose_logs
from .talk import talk, text_of

SCRIPT = Script(tokens=[f"{number} " for number in range(20)], delay=0.02)


async def test_a_running_answer_is_followed_to_its_end(house: Served) -> None:
    house.upstream.script = SCRIPT
    async with house.asking() as response:
        task = (await next_frame(response)).record["task_id"]
        async with talk(house, f"/ws/runs/{task}?user=u1") as socket:
            heard = await socket.hear_until("message_end")
            assert await socket.closed() == 1000
    assert text_of(heard) == SCRIPT.text


async def test_a_reader_goes_on_behind_the_record_it_saw(house: Served) -> None:
    house.upstream.script = SCRIPT
    frames = (await house.ask()).frames
    task, seen = frames[0].record["task_id"], frames[4]
    async with talk(house, f"/ws/runs/{task}?user=u1&after={seen.id}") as socket:
        heard = await socket.hear_until("message_end")
    assert [record["event_id"] for record in heard] == [frame.id for frame in frames[5:]]
    assert [{**record, "event_id": None} for record in heard] == [{**frame.record, "event_id": None} for frame in frames[5:]]


async def test_a_run_whose_log_is_gone_is_told_from_its_rows(house: Served) -> None:
    frames = (await house.ask()).frames
    await lose_logs()
    task = frames[0].record["task_id"]
    async with talk(house, f"/ws/runs/{task}?user=u1&after=1") as socket:
        heard = await socket.hear_until("message_end")
        assert await socket.closed() == 1000
    assert [record["event"] for record in heard] == ["message_replace", "message_end"]
    assert heard[0]["answer"] == "Hello, world!"
    assert [record["event_id"] for record in heard] == [frames[-1].id - 1, frames[-1].id]


async def test_who_saw_the_end_sees_nothing_more(house: Served) -> None:
    frames = (await house.ask()).frames
    async with talk(house, f"/ws/runs/{frames[0].record['task_id']}?after={frames[-1].id}") as socket:
        assert await socket.closed() == 1000


async def test_strangers_are_told_that_there_is_no_such_run(house: Served) -> None:
    task = (await house.ask()).frames[0].record["task_id"]
    for path, token in (
        (f"/ws/runs/{task}?user=u2", house.chat.token),
        (f"/ws/runs/{task}?user=u1", house.completion.token),
        (f"/ws/runs/{task}", house.completion.token),
        (f"/ws/runs/{task}?user=u1", house.foreign.token),
        (f"/ws/runs/{task}", house.foreign.token),
        (f"/ws/runs/{UNKNOWN_ID}?user=u1", house.chat.token),
        ("/ws/runs/no-uuid", house.chat.token),
    ):
        async with talk(house, path, token=token) as socket:
            record = await socket.hear()
            assert (record["event"], record["code"], record["status"]) == ("error", "not_found", 404)
            assert await socket.closed() == 4404


async def test_without_a_token_nothing_is_told(house: Served) -> None:
    task = (await house.ask()).frames[0].record["task_id"]
    async with talk(house, f"/ws/runs/{task}?user=u1", token="app-wrong") as socket:
        assert (await socket.hear())["code"] == "unauthorized"
        assert await socket.closed() == 4401


@pytest.mark.parametrize("query", ["after=x", "after=-1", f"after={2**70}", "user=" + "x" * 256, "user=a%00b"])
async def test_wrong_parameters_close_the_socket(house: Served, query: str) -> None:
    task = (await house.ask()).frames[0].record["task_id"]
    async with talk(house, f"/ws/runs/{task}?{query}") as socket:
        assert (await socket.hear())["code"] == "invalid_param"
        assert await socket.closed() == 4400


async def test_the_socket_only_sends(house: Served) -> None:
    house.upstream.script = SCRIPT
    async with house.asking() as response:
        task = (await next_frame(response)).record["task_id"]
        async with talk(house, f"/ws/runs/{task}?user=u1") as socket:
            await socket.send(action="send")
            assert (await socket.hear_until("error"))[-1]["code"] == "invalid_param"
            assert (await socket.hear())["event"] == "message"
