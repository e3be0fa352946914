"""A database that is lost in any half of a request is a 503 with ``Retry-After``, and the request may be sent again at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError

from apps import generation
from difyproj.infra.models import IdempotencyKey
from difyproj.testing.served import Answer, Served
from difyproj.testing.upstream import Script
from difyproj.tiers import idempotency

from .contract import assert_error

LOST = [OperationalError("The server closed the connection."), InterfaceError("The connection is closed.")]
HEADERS = {"Content-Type": "multipart/form-data; boundary=cut", "Idempotency-Key": "order-17"}
AUDIO = (
    b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    b"Content-Type: audio/wav\r\n\r\nRIFFsound\r\n--cut--\r\n"
)


async def listen(house: Served) -> Answer:
    return await house.call("POST", "/v1/audio-to-text", data=AUDIO, headers=HEADERS)


@pytest.fixture
async def listener(house: Served) -> Served:
    await house.configure(house.chat, speech_to_text={"enabled": True})
    house.upstream.script = Script(transcript="Guten Tag.")
    return house


def failing_once(real: Callable[..., Any], cause: Exception) -> Callable[..., Any]:
    left = [cause]

    def function(*args: Any, **kwargs: Any) -> Any:
        if left:
            raise left.pop()
        return real(*args, **kwargs)

    return function


@pytest.mark.parametrize("cause", LOST, ids=repr)
@pytest.mark.parametrize("half", ["plan_transcript", "transcribe"])
async def test_either_half_is_refused_for_now_and_its_key_is_free(
    listener: Served, monkeypatch: pytest.MonkeyPatch, half: str, cause: Exception
) -> None:
    monkeypatch.setattr(generation, half, failing_once(getattr(generation, half), cause))
    answer = await listen(listener)
    assert_error(answer, 503, "service_unavailable")
    assert answer.headers["Retry-After"] == "1"
    assert not await IdempotencyKey.objects.aexists()
    assert ((await listen(listener)).json(), (await listen(listener)).json()) == ({"text": "Guten Tag."},) * 2
    assert listener.upstream.requests == 1


@pytest.mark.parametrize("cause", LOST, ids=repr)
async def test_an_answer_is_kept_although_the_database_was_lost_while_it_was_made(
    listener: Served, monkeypatch: pytest.MonkeyPatch, cause: Exception
) -> None:
    monkeypatch.setattr(idempotency, "keep", failing_once(idempotency.keep, cause))
    assert (await listen(listener)).status == 200
    assert (await listen(listener)).headers["Idempotency-Replayed"] == "true"
    assert listener.upstream.requests == 1
