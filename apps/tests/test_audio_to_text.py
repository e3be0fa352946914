"""POST /v1/audio-to-text: what somebody said, as text."""

from __future__ import annotations

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from django.test.utils import override_settings

from accounts.models import DefaultModel
from accounts.services import credentials, default_models
from difyproj.model_runtime.base import ModelType
from difyproj.testing.served import Answer, Key, Served
from difyproj.testing.upstream import Script

from .contract import assert_error


async def listen(
    house: Served, audio: bytes | None = b"RIFFsound", *, mime: str = "audio/wav", key: Key | None = None
) -> Answer:
    form = aiohttp.FormData({"user": "u1"})
    form.add_field("unused", b"", filename="x") if audio is None else form.add_field(
        "file", audio, filename="a.wav", content_type=mime
    )
    return await house.call("POST", "/v1/audio-to-text", key=key, data=form)


async def enable(house: Served) -> None:
    await house.configure(house.chat, speech_to_text={"enabled": True})


@pytest.mark.parametrize("mime", ["audio/mp3", "audio/mpga", "audio/m4a", "audio/x-m4a", "audio/wav", "audio/amr"])
async def test_speech_becomes_text(house: Served, mime: str) -> None:
    await enable(house)
    house.upstream.script = Script(transcript="Guten Tag.")
    answer = await listen(house, mime=mime)
    assert (answer.status, answer.json()) == (200, {"text": "Guten Tag."})
    assert b"RIFFsound" in house.upstream.last.raw
    assert b"whisper-1" in house.upstream.last.raw


async def test_an_app_that_does_not_listen_says_so(house: Served) -> None:
    assert_error(await listen(house), 400, "speech_to_text_disabled")
    assert house.upstream.requests == 0


async def test_without_audio_there_is_nothing_to_hear(house: Served) -> None:
    await enable(house)
    answer = await house.call("POST", "/v1/audio-to-text", data=aiohttp.FormData({"user": "u1"}))
    assert_error(answer, 400, "no_audio_uploaded")


@pytest.mark.parametrize("mime", ["audio/mpeg", "video/mp4", "text/plain", "image/png"])
async def test_other_types_are_refused(house: Served, mime: str) -> None:
    await enable(house)
    assert_error(await listen(house, mime=mime), 415, "unsupported_audio_type")


async def test_long_audio_is_refused(house: Served) -> None:
    await enable(house)
    with override_settings(SPEECH_TO_TEXT_SIZE_LIMIT=1):
        assert_error(await listen(house, bytes(1024 * 1024 + 1)), 413, "audio_too_large")
        assert (await listen(house, bytes(1024 * 1024))).status == 200


async def test_without_a_model_for_it_the_provider_is_not_set_up(house: Served) -> None:
    await enable(house)

    def forget() -> None:
        for row in DefaultModel.objects.filter(tenant=house.cast.alice.tenant, model_type=ModelType.SPEECH2TEXT):
            row.delete()

    await sync_to_async(forget)()
    assert_error(await listen(house), 400, "provider_not_initialize")


async def test_a_provider_that_cannot_listen_is_named_as_such(house: Served) -> None:
    await enable(house)

    def choose_anthropic() -> None:
        tenant = house.cast.alice.tenant
        credentials.create(tenant=tenant, provider="anthropic", values={"anthropic_api_key": "sk-ant-0123456789"})
        DefaultModel.objects.filter(tenant=tenant, model_type=ModelType.SPEECH2TEXT).update(
            provider="anthropic", model="claude"
        )
        default_models.update(tenant=tenant, model_type=ModelType.RERANK, provider="openai", model="x")

    await sync_to_async(choose_anthropic)()
    assert_error(await listen(house), 400, "provider_not_support_speech_to_text")


@pytest.mark.parametrize(
    ("status", "code"), [(401, "provider_not_initialize"), (402, "provider_quota_exceeded"), (400, "completion_request_error")]
)
async def test_a_providers_refusal_is_told_in_the_contracts_codes(house: Served, status: int, code: str) -> None:
    await enable(house)
    house.upstream.script = Script(fail=status)
    assert_error(await listen(house), 400, code)


async def test_each_key_asks_its_own_app(house: Served) -> None:
    await enable(house)
    for key in (house.completion, house.foreign):
        assert_error(await listen(house, key=key), 400, "speech_to_text_disabled")
