"""Speech on the Console API: transcripts, spoken answers and the voices there are."""

from __future__ import annotations

import aiohttp
import pytest
from asgiref.sync import sync_to_async

from accounts.models import DefaultModel
from difyproj.testing.console import TierClient
from difyproj.testing.served import Answer
from difyproj.testing.upstream import Script

from .console_crew import Crew
from .contract import UNKNOWN_ID, assert_error
from .test_debug_runs import app_of, ask


async def listen(who: TierClient, path: str) -> Answer:
    form = aiohttp.FormData()
    form.add_field("file", b"RIFFsound", filename="a.wav", content_type="audio/wav")
    return await who.post(f"{path}/audio-to-text", data=form)


async def test_members_speak_to_an_app_that_listens(crew: Crew) -> None:
    assert_error(await listen(crew.bob, app_of(crew)), 400, "speech_to_text_disabled")
    await crew.house.configure(crew.house.chat, speech_to_text={"enabled": True})
    crew.house.upstream.script = Script(transcript="Guten Tag.")
    answer = await listen(crew.norma, app_of(crew))
    assert (answer.status, answer.json()) == (200, {"text": "Guten Tag."})
    assert_error(
        await crew.bob.post(f"{app_of(crew)}/audio-to-text", data=aiohttp.FormData({"x": "y"})), 400, "no_audio_uploaded"
    )
    assert_error(await listen(crew.eve, app_of(crew)), 404, "app_not_found")


async def test_builders_hear_any_answer_of_their_app(crew: Crew) -> None:
    path = f"{app_of(crew)}/text-to-audio"
    assert_error(await crew.bob.post(path, {"text": "Hi"}), 400, "invalid_param")
    await crew.house.configure(crew.house.chat, text_to_speech={"enabled": True, "voice": "alloy"})
    answer = await crew.bob.post(path, {"text": "Hi", "voice": "nova"})
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (
        200, "audio/mpeg", crew.house.upstream.script.audio,
    )  # fmt: skip
    assert (crew.house.upstream.last.body["input"], crew.house.upstream.last.body["voice"]) == ("Hi", "nova")
    told = (await ask(crew, response_mode="blocking")).json()
    await crew.bob.post(path, {"message_id": told["id"]})
    assert crew.house.upstream.last.body["input"] == "Hello, world!"
    foreign = (await crew.house.ask(key=crew.house.foreign, response_mode="blocking", auto_generate_name=False)).json()
    for unknown in (foreign["id"], UNKNOWN_ID, "nonsense"):
        assert_error(await crew.bob.post(path, {"message_id": unknown}), 404, "not_found")
    await crew.assert_only_for("POST", path, editors=True, json={"text": "Hi"})


@pytest.mark.parametrize("language", ["en-US", "en", "xx-YY"])
async def test_the_voices_of_the_default_model_are_listed(crew: Crew, language: str) -> None:
    path = f"{app_of(crew)}/text-to-audio/voices"
    answer = await crew.norma.get(path, language=language)
    assert answer.status == 200
    assert {"name": "Alloy", "value": "alloy"} in answer.json()
    assert_error(await crew.bob.get(path), 400, "invalid_param", params="language")
    assert_error(await crew.eve.get(path, language=language), 404, "app_not_found")


async def test_without_a_default_model_there_are_no_voices(crew: Crew) -> None:
    await sync_to_async(DefaultModel.objects.all().delete)()
    assert_error(await crew.bob.get(f"{app_of(crew)}/text-to-audio/voices", language="en-US"), 400, "provider_not_initialize")
