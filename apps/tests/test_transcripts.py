"""Golden transcripts of chat and completion: every byte of the answer, ids and times aside."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from apps.generation import live
from apps.generation.live import LiveRun
from apps.models import Message
from difyproj.testing.served import Answer, Key, Served
from difyproj.testing.transcripts import Transcript
from difyproj.testing.upstream import Script

from .restart import lose_logs
from .test_file_upload import PNG, upload

FOLDER = Path(__file__).parent / "transcripts"
MODES = ["streaming", "blocking"]
VISION = {"image": {"enabled": True, "number_limits": 2, "detail": "low", "transfer_methods": ["local_file", "remote_url"]}}


def moderation(side: str) -> dict[str, Any]:
    config = {"keywords": "forbidden\nhush", side: {"enabled": True, "preset_response": "Let us talk of something else."}}
    return {"enabled": True, "type": "keywords", "config": config}


async def ask(house: Served, family: str, query: str = "Hello?", **fields: Any) -> Answer:
    body = {"inputs": {"query": "whales"} if family == "completion" else {}, "query": query, "user": "u1", **fields}
    body.setdefault("auto_generate_name", False)
    key = house.completion if family == "completion" else house.chat
    return await house.call("POST", f"/v1/{family}-messages", key=key, json=body)


def key_of(house: Served, family: str) -> Key:
    return house.completion if family == "completion" else house.chat


async def act(house: Served, family: str, name: str, query: str = "Hello?", **fields: Any) -> None:
    """Ask in both modes and compare each with its file."""
    for mode in MODES:
        told = Transcript()
        answer = await ask(house, family, query, response_mode=mode, **fields)
        told.note(f"{answer.status} {answer.headers['Content-Type']}")
        told.add(answer.body)
        row = await Message.objects.select_related("run").order_by("-created_at").afirst()
        assert row is not None and row.run is not None
        told.note(f"run: {row.run.status} {row.run.error_code}".rstrip())
        told.note(f"message: {row.status} {row.answer!r} error={row.error!r} tokens={row.message_tokens}+{row.answer_tokens}")
        told.check(FOLDER / f"{family}_{name}_{mode}.txt")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_plain_answer(house: Served, family: str) -> None:
    house.upstream.script = Script(tokens=["Grüß ", "Gott,\n", '"世界"', " 🌍!"], delay=0.1)
    await act(house, family, "plain")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_an_answer_with_its_stages(house: Served, family: str) -> None:
    await act(house, family, "stages", stage_events=True)


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_an_answer_about_images(house: Served, family: str) -> None:
    await house.configure(key_of(house, family), file_upload=VISION)
    file_id = (await upload(house, key=key_of(house, family))).json()["id"]
    files = [
        {"type": "image", "transfer_method": "local_file", "upload_file_id": file_id},
        {"type": "image", "transfer_method": "remote_url", "url": "https://example.com/dog.jpg"},
    ]
    await act(house, family, "files", "What is this?", files=files)
    content = house.upstream.last.body["messages"][-1]["content"]
    data = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    assert [part["image_url"] for part in content if part["type"] == "image_url"] == [
        {"url": data, "detail": "low"},
        {"url": "https://example.com/dog.jpg", "detail": "low"},
    ]
    assert "What is this?" in [part.get("text") for part in content]
    row = (await house.call("GET", "/v1/messages", params={"user": "u1", "conversation_id": await conversation(house)})).json()
    if family == "chat":
        told = Transcript()
        told.add(str(row["data"][0]["message_files"]))
        told.check(FOLDER / "chat_files_history.txt")


async def conversation(house: Served) -> str:
    row = await Message.objects.order_by("-created_at").afirst()
    assert row is not None
    return str(row.conversation_id)


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_question_that_is_moderated(house: Served, family: str) -> None:
    await house.configure(key_of(house, family), sensitive_word_avoidance=moderation("inputs_config"))
    await act(house, family, "input_moderated", "Something FORBIDDEN?")
    assert house.upstream.requests == 0


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_an_answer_that_is_moderated(house: Served, family: str) -> None:
    await house.configure(key_of(house, family), sensitive_word_avoidance=moderation("outputs_config"))
    house.upstream.script = Script(tokens=["It is ", "for", "bid", "den", " to say."], delay=0.1)
    await act(house, family, "output_moderated")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_provider_that_refuses(house: Served, family: str) -> None:
    house.upstream.script = Script(fail=400, fail_message="The parameter x is wrong.")
    await act(house, family, "refused")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_provider_that_breaks_off(house: Served, family: str) -> None:
    house.upstream.script = Script(tokens=["One ", "two ", "three"], delay=0.1, disconnect_after=2)
    await act(house, family, "broken")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_provider_that_reports_an_error_in_mid_answer(house: Served, family: str) -> None:
    house.upstream.script = Script(tokens=["One ", "two "], delay=0.1, stream_error="The model is tired.")
    await act(house, family, "stream_error")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_a_provider_whose_key_is_wrong(house: Served, family: str) -> None:
    house.upstream.script = Script(fail=401, fail_message="Incorrect API key provided: sk-test-0123456789abcdef.")
    await act(house, family, "wrong_key")


@pytest.mark.parametrize("family", ["chat", "completion"])
async def test_an_answer_that_is_stopped(house: Served, family: str) -> None:
    house.upstream.script = Script(tokens=["One", " two"], delay=0.1, hang="end")
    for mode in MODES:
        told = Transcript()
        asking = asyncio.create_task(ask(house, family, response_mode=mode))
        run = await said(" two")
        path = f"/v1/{family}-messages/{run.reply.run_id}/stop"
        stopped = await house.call("POST", path, key=key_of(house, family), json={"user": "u1"})
        told.note(f"stop: {stopped.status} {stopped.body.decode()}")
        told.add((await asking).body)
        row = await Message.objects.select_related("run").aget(run_id=run.reply.run_id)
        assert row.run is not None
        told.note(
            f"run: {row.run.status}; message: {row.status} {row.answer!r} tokens={row.message_tokens}+{row.answer_tokens}"
        )
        told.check(FOLDER / f"{family}_stopped_{mode}.txt")


async def said(ending: str) -> LiveRun:
    """The run that goes on, once its answer has come that far."""
    for _ in range(500):
        run = next((one for one in live.all_runs() if one.state.answer.endswith(ending)), None)
        if run is not None:
            return run
        await asyncio.sleep(0.01)
    raise AssertionError("The answer does not come that far.")


async def test_an_answer_that_is_read_again(house: Served) -> None:
    house.upstream.script = Script(tokens=["One ", "two ", "three"], delay=0.1)
    told = Transcript()
    first = await ask(house, "chat", response_mode="streaming")
    task = first.frames[0].record["task_id"]
    told.note("the first reader")
    told.add(first.body)

    async def again(note: str, *, header: str | None = None, **params: str) -> None:
        headers = {} if header is None else {"Last-Event-ID": header}
        path = f"/v1/runs/{task}/events"
        answer = await house.call("GET", path, params={"user": "u1", **params}, headers=headers)
        told.note(note)
        told.add(answer.body or b"(nothing)")

    middle, last = str(first.frames[1].id), str(first.frames[-1].id)
    await again("from the log, Last-Event-ID", header=middle)
    await again("from the log, ?after=", after=middle)
    await again("from the log, after the end", after=last)
    await lose_logs()
    await again("from the rows, from the beginning")
    await again("from the rows, Last-Event-ID", header=middle)
    await again("from the rows, after the end", after=last)
    told.check(FOLDER / "chat_resumed.txt")
