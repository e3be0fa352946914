"""However a run ends, its end is kept once, its readers see it, and no run stays running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from apps.generation import background, live, opening, places, plan, pump, reaper, recorder, service
from apps.generation.live import LiveRun
from apps.generation.reaper import best_text
from apps.generation.request import GenerateRequest
from apps.models import Message, Run, RunStatus
from apps.services import end_users
from difyproj.infra import db, leases
from difyproj.infra.backends import get_slots
from difyproj.kernel import clock
from difyproj.kernel.ids import new_id
from difyproj.kernel.principal import ActorKind, Principal, Tier
from difyproj.model_runtime.messages import MOST_TOKENS
from difyproj.testing.served import Served, next_frame
from difyproj.testing.upstream import Script
from workflows.engine.events import RunEvent, TextChunk, TextReplaced, Usage

SLOW = Script(tokens=[f"t{number} " for number in range(2000)], delay=0.005)


async def kept() -> Message:
    """The one message there is, with its run."""
    return await Message.objects.select_related("run").aget()


async def until(true: Callable[[Message], bool]) -> Message:
    """Wait until the message's row is so."""
    async with asyncio.timeout(5):
        while not true(message := await kept()):
            await asyncio.sleep(0.02)
    return message


async def test_a_run_that_is_stopped_before_its_first_step_ends(house: Served) -> None:
    app = house.chat.app
    end_user = await sync_to_async(end_users.resolve)(app, "u1", type=Tier.SERVICE)
    principal = Principal(app.tenant_id, ActorKind.END_USER, end_user.pk, Tier.SERVICE, app.pk)
    asked = GenerateRequest(query="Hello?", auto_generate_name=False)  # or the title's own model call would be counted
    made = await db.run(plan.make, principal, app, asked)
    run = LiveRun(await db.run(opening.begin, made, new_id(), None, leases.mine()), made.state, leases.mine())
    pump.start(run, made)
    run.stop()
    assert run.task is not None
    await run.task
    message = await kept()
    assert message.run is not None
    assert (message.run.status, message.answer) == ("stopped", "")
    assert live.all_runs() == []
    assert house.upstream.requests == 0


async def test_a_second_stop_while_the_end_is_kept_changes_nothing(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    save = recorder.save_end

    def slowly(*args: Any) -> bool:
        for run in live.all_runs():
            asyncio.run_coroutine_threadsafe(_interrupt(run), loop).result(5)
        return save(*args)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(recorder, "save_end", slowly)
    answer = await house.ask()
    assert answer.frames[-1].event == "message_end"
    message = await kept()
    assert message.run is not None
    assert (message.run.status, message.answer) == ("succeeded", "Hello, world!")


async def _interrupt(run: LiveRun) -> None:
    run.stop()
    run.interrupt()


async def test_an_end_that_another_process_wrote_is_shown_as_it_was_kept(house: Served) -> None:
    house.upstream.script = SLOW
    async with house.asking() as response:
        frame = await next_frame(response)
        message = await until(lambda row: live.all_runs() != [])
        lost = {"status": RunStatus.FAILED, "error_code": "worker_lost", "error_status": 500, "error": "gone"}
        await Run.objects.aupdate(**lost, last_event_id=20_002, finished_at=clock.now())
        await Message.objects.aupdate(answer="t0 ")
        live.all_runs()[0].interrupt()
        rest = (await response.read()).decode()
    assert '"message_replace"' in rest
    assert '"worker_lost"' in rest
    assert rest.rstrip().endswith("id: 20002")
    message = await kept()
    assert message.run is not None
    assert (message.answer, str(message.run.pk)) == ("t0 ", frame.record["task_id"])


async def test_an_end_that_cannot_be_kept_is_an_error_and_the_run_is_ended_later(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(recorder, "save_end", _broken)
        answer = await house.ask()
    assert (answer.frames[-1].event, answer.frames[-1].record["code"]) == ("error", "internal_server_error")
    monkeypatch.setattr(reaper, "FORGOTTEN_SECONDS", 0.0)
    assert await reaper.reap() == 1
    message = await kept()
    assert message.run is not None
    assert (message.run.status, message.answer) == ("failed", "Hello, world!")


def _broken(*args: object) -> bool:
    raise ValueError("broken")


async def test_an_end_is_written_again_after_the_connection_dropped(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    save, calls = recorder.save_end, 0

    def dropping(*args: Any) -> bool:
        """The first attempt is lost, the second one's commit is not heard of, the third one finds its own end."""
        nonlocal calls
        calls += 1
        if calls == 2:
            save(*args)
        if calls < 3:
            raise OperationalError("the connection dropped")
        return save(*args)

    monkeypatch.setattr(recorder, "save_end", dropping)
    answer = await house.ask()
    assert {frame.event for frame in answer.frames} == {"message", "message_end"}
    assert calls == 3
    message = await kept()
    assert message.run is not None
    assert (message.run.status, message.answer) == ("succeeded", "Hello, world!")


async def test_checkpoints_go_on_after_one_failed(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    save, calls = recorder.save_checkpoints, 0

    def failing_once(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OperationalError("away")
        save(*args)

    monkeypatch.setattr(recorder, "save_checkpoints", failing_once)
    house.upstream.script = SLOW
    async with house.asking() as response:
        await next_frame(response)
        checkpoints = asyncio.create_task(background._every(0.05, recorder.checkpointer.save_grown))
        message = await until(lambda row: bool(row.answer))
        checkpoints.cancel()
    assert message.answer.startswith("t0 ")
    assert calls > 1


async def test_a_checkpoint_that_comes_late_does_not_touch_an_ended_run(house: Served) -> None:
    await house.ask()
    message = await kept()
    run = LiveRun(_reply(message), state=plan.RunState())
    await db.run(recorder.save_checkpoints, [recorder.Checkpoint(run, "older text", 1, 10_000)], clock.now())
    again = await kept()
    assert (again.answer, again.updated_at) == (message.answer, message.updated_at)


def _reply(message: Message) -> Any:
    assert message.run_id is not None
    return opening.Reply(
        message.run_id, "chat", "service-api", 0, message.pk, message.conversation_id, message.tenant_id, message.app_id
    )


async def test_no_reader_sees_an_id_that_was_not_promised(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "RESERVED_BLOCK", 6)
    monkeypatch.setattr(recorder, "RESERVE_MARGIN", 2)
    monkeypatch.setattr(opening, "RESERVED_BLOCK", 6)
    monkeypatch.setattr(service, "LiveRun", partial(LiveRun, reserved_event_id=6))
    house.upstream.script = Script(tokens=[f"t{number} " for number in range(40)], delay=0.002)
    async with house.asking() as response:
        while (frame := await next_frame(response)).event == "message":
            row = await Run.objects.aget()
            assert frame.id <= row.reserved_event_id
    message = await until(lambda row: row.status == "normal" and bool(row.answer_tokens))
    assert message.answer.split() == [f"t{number}" for number in range(40)]


async def test_a_text_with_nul_is_kept_without_it(house: Served) -> None:
    house.upstream.script = Script(tokens=["a\0b", " c"])
    answer = await house.ask()
    assert answer.frames[-1].event == "message_end"
    assert (await kept()).answer == "ab c"


@pytest.mark.parametrize("usage", [(-5, 3), (7, -(2**62)), (2**40, 2**40), (2**62, 1), (1, 2**70)])
async def test_any_number_of_tokens_that_a_provider_reports_can_be_kept(house: Served, usage: tuple[int, int]) -> None:
    house.upstream.script = Script(usage=usage)
    answer = await house.ask()
    assert answer.frames[-1].event == "message_end"
    message = await kept()
    assert message.run is not None
    assert (message.run.status, message.answer) == ("succeeded", "Hello, world!")
    counts = (message.message_tokens, message.answer_tokens)
    assert counts == tuple(min(max(count, 0), MOST_TOKENS) for count in usage)
    assert message.run.total_tokens == sum(counts)


@pytest.mark.parametrize("script", [Script(fail=400, fail_message="no\0pe"), Script(stream_error="no\0pe")])
async def test_a_providers_error_with_nul_in_its_text_is_kept_without_it(house: Served, script: Script) -> None:
    house.upstream.script = script
    answer = await house.ask()
    message = await kept()
    assert message.run is not None
    assert (message.run.status, message.run.error_code, message.status) == ("failed", "completion_request_error", "error")
    assert "nope" in message.run.error
    assert message.error == message.run.error
    assert answer.frames[-1].record["code"] == "completion_request_error"


async def test_an_end_with_details_that_no_row_takes_is_kept_without_them(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    conclude = pump._conclude

    async def unkeepable(*args: Any) -> Any:
        return msgspec.structs.replace(await conclude(*args), metadata={"said": "\0"}, usage=Usage(prompt_tokens=-1))

    monkeypatch.setattr(pump, "_conclude", unkeepable)
    answer = await house.ask()
    assert answer.frames[-1].event == "message_end"
    assert "said" not in answer.frames[-1].record["metadata"]
    message = await kept()
    assert message.run is not None
    assert (message.run.status, message.status, message.answer) == ("succeeded", "normal", "Hello, world!")
    assert message.run.finished_at is not None
    assert (message.message_tokens, "said" in message.metadata) == (0, False)


@pytest.mark.parametrize("process", ["nobody", "a process that is forgotten", "this one, long ago"])
async def test_a_run_that_nobody_drives_is_ended_and_its_slot_given_back(house: Served, process: str) -> None:
    await house.ask()
    message = await kept()
    process_id = {"nobody": None, "this one, long ago": leases.mine()}.get(process, new_id())
    old = clock.now() - timedelta(seconds=60)
    await Run.objects.aupdate(status="running", finished_at=None, process_id=process_id, created_at=old)
    assert message.run_id is not None
    key = places.slot_key(message.app_id)
    get_slots().take(key, 0, places.holder(message.run_id, process_id))
    assert await reaper.reap() == 1
    assert await reaper.reap() == 0
    row = await Run.objects.aget()
    assert (row.status, row.error_code) == ("failed", "worker_lost")
    assert get_slots().active(key) == 0


async def test_a_run_that_has_just_begun_is_left_alone(house: Served) -> None:
    await house.ask()
    await Run.objects.aupdate(status="running", process_id=leases.mine(), created_at=clock.now())
    assert await reaper.reap() == 0


def test_the_newer_of_the_logs_and_the_rows_text_is_kept() -> None:
    whole: list[tuple[int, RunEvent]] = [(1, TextChunk("a")), (2, TextChunk("b")), (3, TextChunk("c"))]
    assert best_text(whole, kept="ab", kept_id=2) == "abc"
    assert best_text(whole[:2], kept="abc", kept_id=3) == "abc"
    assert best_text(whole[1:], kept="a", kept_id=1) == "a"
    assert best_text([], kept="a", kept_id=1) == "a"
    assert best_text([*whole, (4, TextReplaced("x", reason="moderation"))], kept="", kept_id=0) == "x"
