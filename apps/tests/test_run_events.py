"""GET /v1/runs/{task_id}/events: any run's stream again, for its owner only; and the pings of a quiet stream."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from apps.models import Message, Run
from difyproj.infra import backends
from difyproj.testing.served import Answer, Frame, Served, next_frame
from difyproj.testing.upstream import Script
from difyproj.tiers import streaming

from .contract import UNKNOWN_ID, assert_error
from .restart import lose_logs

SCRIPT = Script(tokens=[f"{number} " for number in range(10)], delay=0.03)


async def again(house: Served, task: str, *, header: str | None = None, **params: str) -> Answer:
    headers = {} if header is None else {"Last-Event-ID": header}
    return await house.call("GET", f"/v1/runs/{task}/events", params={"user": "u1", **params}, headers=headers)


async def asked(house: Served, script: Script = SCRIPT) -> list[Frame]:
    house.upstream.script = script
    return (await house.ask(auto_generate_name=False)).frames


def task_of(frames: list[Frame]) -> str:
    return str(frames[-1].record["task_id"])


async def test_a_finished_run_is_read_again_to_the_byte(house: Served) -> None:
    first = await house.ask()
    answer = await again(house, task_of(first.frames))
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.body == first.body


async def test_every_id_is_a_place_to_go_on_from(house: Served) -> None:
    frames = await asked(house)
    for index, frame in enumerate(frames):
        by_header = await again(house, task_of(frames), header=str(frame.id))
        by_query = await again(house, task_of(frames), after=str(frame.id))
        assert by_header.frames == by_query.frames == frames[index + 1 :]


async def test_the_header_wins_over_the_query(house: Served) -> None:
    frames = await asked(house)
    answer = await again(house, task_of(frames), header=str(frames[5].id), after="1")
    assert answer.frames == frames[6:]


@pytest.mark.parametrize("header", ["", "x", "-1", "1.5", "9" * 30, "\u0661"])
async def test_a_last_id_that_is_no_number_is_ignored(house: Served, header: str) -> None:
    frames = await asked(house)
    assert (await again(house, task_of(frames), header=header)).frames == frames


@pytest.mark.parametrize("after", ["x", "-1", "1.5", str(2**63)])
async def test_a_wrong_after_is_refused(house: Served, after: str) -> None:
    frames = await asked(house)
    assert_error(await again(house, task_of(frames), after=after), 400, "invalid_param", params="after")


async def test_a_reader_ahead_of_the_log_gets_what_comes_later(house: Served) -> None:
    house.upstream.script = SCRIPT
    async with house.asking() as response:
        first = await next_frame(response)
        answer = await again(house, first.record["task_id"], after=str(first.id + 3))
    assert answer.frames[0].id == first.id + 4
    assert answer.frames[-1].event == "message_end"


async def test_a_completion_is_read_again_too(house: Served) -> None:
    body = {"inputs": {"query": "x"}, "user": "u1", "response_mode": "streaming"}
    first = await house.call("POST", "/v1/completion-messages", key=house.completion, json=body)
    path = f"/v1/runs/{task_of(first.frames)}/events"
    answer = await house.call("GET", path, key=house.completion, params={"user": "u1"})
    assert answer.body == first.body


async def test_the_key_alone_reads_its_apps_runs(house: Served) -> None:
    frames = await asked(house)
    answer = await house.call("GET", f"/v1/runs/{task_of(frames)}/events")
    assert answer.frames == frames


async def test_strangers_find_no_run(house: Served) -> None:
    task = task_of(await asked(house))
    path = f"/v1/runs/{task}/events"
    for key, params in (
        (house.chat, {"user": "u2"}),
        (house.chat, {"user": "DEFAULT-USER"}),
        (house.completion, {}),
        (house.completion, {"user": "u1"}),
        (house.foreign, {}),
        (house.foreign, {"user": "u1"}),
    ):
        assert_error(await house.call("GET", path, key=key, params=params), 404, "not_found")
    for unknown in (UNKNOWN_ID, "no-uuid", "x" * 200):
        assert_error(await again(house, unknown), 404, "not_found")


async def test_strangers_find_no_running_run_either(house: Served) -> None:
    house.upstream.script = SCRIPT
    async with house.asking() as response:
        task = (await next_frame(response)).record["task_id"]
        assert_error(await again(house, task, user="u2"), 404, "not_found")
        assert_error(await house.call("GET", f"/v1/runs/{task}/events", key=house.foreign), 404, "not_found")


async def test_from_the_rows_the_text_is_the_same_and_ids_only_grow(house: Served) -> None:
    frames = await asked(house)
    message = await Message.objects.select_related("run").aget()
    assert message.run is not None
    assert message.run.last_event_id == frames[-1].id
    await lose_logs()
    whole = (await again(house, task_of(frames))).frames
    assert [frame.event for frame in whole] == ["message", "message_end"]
    assert whole[0].record["answer"] == message.answer == SCRIPT.text
    assert whole[-1] == frames[-1]
    for seen in frames[:-1]:
        rebuilt = (await again(house, task_of(frames), header=str(seen.id))).frames
        assert rebuilt[-1] == frames[-1]
        assert all(frame.id > seen.id for frame in rebuilt)
        assert rebuilt[0].event == "message_replace"
        assert rebuilt[0].record["answer"] == SCRIPT.text


async def test_a_failed_run_fails_again_from_its_rows(house: Served) -> None:
    frames = await asked(house, Script(tokens=["One ", "two"], delay=0.03, disconnect_after=1))
    assert frames[-1].event == "error"
    task = str((await Run.objects.aget()).pk)
    await lose_logs()
    rebuilt = (await again(house, task)).frames
    assert [frame.event for frame in rebuilt] == ["message", "error"]
    assert rebuilt[-1] == frames[-1]


async def test_a_log_is_forgotten_after_its_retention(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "EVENT_LOG_RETENTION_SECONDS", 0.05)
    await sync_to_async(backends.reset)()
    frames = await asked(house)
    await asyncio.sleep(0.2)
    rebuilt = (await again(house, task_of(frames))).frames
    assert [frame.event for frame in rebuilt] == ["message", "message_end"]


async def test_a_quiet_stream_is_pinged_by_the_clock(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.1)
    house.upstream.script = Script(first_delay=0.35)
    answer = await house.ask()
    assert answer.body.startswith(b"event: ping\n\nevent: ping\n\n")
    assert 2 <= answer.body.count(b"event: ping\n\n") <= 4
    assert b"[DONE]" not in answer.body
    assert b"retry:" not in answer.body


async def test_a_busy_stream_is_pinged_too(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.1)
    house.upstream.script = Script(tokens=["x "] * 15, delay=0.02)
    frames = (await house.ask()).frames
    assert [frame.event for frame in frames].count("ping") >= 2
    assert frames[0].event == "message"
