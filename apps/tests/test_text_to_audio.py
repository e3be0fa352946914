"""POST /v1/text-to-audio: an answer or a text, spoken."""

from __future__ import annotations

from typing import Any

import pytest

from difyproj.testing.served import Answer, Key, Served
from difyproj.testing.upstream import Script

from .contract import UNKNOWN_ID, assert_error

MP3 = b"\xff\xfb\x10\xc4" + bytes(range(200))


async def speak(house: Served, *, key: Key | None = None, **fields: Any) -> Answer:
    return await house.call("POST", "/v1/text-to-audio", key=key, json={"user": "u1", **fields})


async def enable(house: Served, key: Key | None = None) -> None:
    await house.configure(key or house.chat, text_to_speech={"enabled": True, "voice": "nova", "language": "en-US"})
    house.upstream.script = Script(audio=MP3)


async def test_a_text_is_spoken(house: Served) -> None:
    await enable(house)
    answer = await speak(house, text="Good morning!")
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "audio/mpeg", MP3)
    sent = house.upstream.last.body
    assert (sent["input"], sent["voice"], sent["model"]) == ("Good morning!", "nova", "tts-1")


async def test_a_voice_may_be_chosen(house: Served) -> None:
    await enable(house)
    assert (await speak(house, text="Hi", voice="echo", streaming=True)).status == 200
    assert house.upstream.last.body["voice"] == "echo"


async def test_a_messages_answer_wins_over_the_text(house: Served) -> None:
    message = (await house.ask(response_mode="blocking", auto_generate_name=False)).json()["id"]
    await enable(house)
    assert (await speak(house, message_id=message, text="something else")).status == 200
    assert house.upstream.last.body["input"] == "Hello, world!"


async def test_completion_apps_speak_too(house: Served) -> None:
    await enable(house, house.completion)
    assert (await speak(house, key=house.completion, text="Hi")).status == 200


@pytest.mark.parametrize(
    ("sound", "kind"), [(b"RIFF....WAVE", "audio/wav"), (b"OggS....", "audio/ogg"), (b"fLaC....", "audio/flac")]
)
async def test_the_type_is_that_of_the_sound(house: Served, sound: bytes, kind: str) -> None:
    await enable(house)
    house.upstream.script = Script(audio=sound)
    answer = await speak(house, text="Hi")
    assert (answer.headers["Content-Type"], answer.body) == (kind, sound)


async def test_an_app_that_does_not_speak_says_so(house: Served) -> None:
    assert_error(await speak(house, text="Hi"), 400, "invalid_param")
    assert house.upstream.requests == 0


@pytest.mark.parametrize(
    "fields", [{}, {"text": ""}, {"text": "  "}, {"text": None, "message_id": None}, {"text": "x" * 10_001}]
)
async def test_there_must_be_something_to_say(house: Served, fields: dict[str, Any]) -> None:
    await enable(house)
    assert_error(await speak(house, **fields), 400, "invalid_param", params="text")


async def test_nobody_elses_message_is_read_aloud(house: Served) -> None:
    message = (await house.ask(response_mode="blocking", auto_generate_name=False)).json()["id"]
    await enable(house)
    await enable(house, house.foreign)
    before = house.upstream.requests
    for fields in ({"user": "u2"}, {"key": house.foreign}, {"user": None}):
        assert_error(await speak(house, message_id=message, **fields), 404, "not_found")
    for unknown in (UNKNOWN_ID, "no-uuid"):
        assert_error(await speak(house, message_id=unknown), 404, "not_found")
    assert house.upstream.requests == before


@pytest.mark.parametrize(
    ("status", "code"), [(401, "provider_not_initialize"), (402, "provider_quota_exceeded"), (400, "completion_request_error")]
)
async def test_a_providers_refusal_is_an_error_answer(house: Served, status: int, code: str) -> None:
    await enable(house)
    house.upstream.script = Script(fail=status)
    assert_error(await speak(house, text="Hi"), 400, code)
