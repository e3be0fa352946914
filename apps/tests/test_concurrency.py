"""How many answers an app gives at the same time, and that every place is given back."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.test.utils import override_settings

from apps.models import Message, Run
from apps.services import apps
from difyproj.infra.backends import get_slots
from difyproj.testing.served import Served, next_frame
from difyproj.testing.upstream import Script

from .contract import assert_error

SLOW = Script(tokens=["x "] * 500, delay=0.02)


async def allow(house: Served, active: int) -> None:
    await sync_to_async(apps.update)(house.chat.app, max_active_requests=active)


async def given_back(house: Served) -> None:
    for _ in range(100):
        if await sync_to_async(get_slots().active)(f"app:{house.chat.app.pk}") == 0:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("A place was not given back.")


async def test_one_too_many_is_told_when_to_come_again(house: Served) -> None:
    await allow(house, 1)
    house.upstream.script = SLOW
    async with house.asking() as response:
        task = (await next_frame(response)).record["task_id"]
        for mode in ("streaming", "blocking"):
            refused = await house.ask(response_mode=mode)
            assert_error(refused, 429, "too_many_requests")
            assert int(refused.headers["Retry-After"]) >= 1
        assert await Message.objects.acount() == await Run.objects.acount() == 1
        await house.call("POST", f"/v1/chat-messages/{task}/stop", json={"user": "u1"})
        await response.read()
    await given_back(house)
    house.upstream.script = Script()
    assert (await house.ask()).status == 200


@pytest.mark.parametrize(
    ("own", "default", "most", "allowed"), [(2, 5, 0, 2), (0, 2, 0, 2), (5, 0, 2, 2), (0, 0, 2, 2), (0, 0, 0, 6)]
)
async def test_the_smaller_of_the_limits_counts(house: Served, own: int, default: int, most: int, allowed: int) -> None:
    await allow(house, own)
    house.upstream.script = Script(tokens=["x"], first_delay=0.3)
    with override_settings(APP_DEFAULT_ACTIVE_REQUESTS=default, APP_MAX_ACTIVE_REQUESTS=most):
        answers = await asyncio.gather(*(house.ask(auto_generate_name=False) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [200] * allowed + [429] * (6 - allowed)
    await given_back(house)


@pytest.mark.parametrize(
    "script", [Script(), Script(fail=400), Script(tokens=["a", "b"], disconnect_after=1), Script(fail=401)]
)
async def test_every_kind_of_end_gives_the_place_back(house: Served, script: Script) -> None:
    await allow(house, 1)
    house.upstream.script = script
    for mode in ("streaming", "blocking"):
        assert (await house.ask(response_mode=mode, auto_generate_name=False)).status in (200, 400)
        await given_back(house)


@pytest.mark.parametrize("mode", ["streaming", "blocking"])
async def test_whoever_has_the_answer_may_ask_again_at_once(house: Served, mode: str) -> None:
    await allow(house, 1)
    for _ in range(5):
        assert (await house.ask(response_mode=mode, auto_generate_name=False)).status == 200


async def test_a_refused_question_takes_no_place(house: Served) -> None:
    await allow(house, 1)
    for _ in range(3):
        assert (await house.ask("")).status == 400
    assert (await house.ask()).status == 200


async def test_apps_do_not_stand_in_each_others_way(house: Served) -> None:
    await allow(house, 1)
    house.upstream.script = SLOW
    async with house.asking() as response:
        task = (await next_frame(response)).record["task_id"]
        house.upstream.script = Script()
        body = {"inputs": {"query": "x"}, "user": "u1"}
        answer = await house.call("POST", "/v1/completion-messages", key=house.completion, json=body)
        assert answer.status == 200
        await house.call("POST", f"/v1/chat-messages/{task}/stop", json={"user": "u1"})
