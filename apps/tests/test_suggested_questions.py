"""GET /v1/messages/{id}/suggested: what may be asked next."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from accounts.models import DefaultModel, ModelCredential
from difyproj.testing.served import Answer, Key, Served
from difyproj.testing.upstream import Script

from .contract import UNKNOWN_ID, assert_error


async def said(house: Served) -> str:
    await house.configure(house.chat, suggested_questions_after_answer={"enabled": True})
    return str((await house.ask("What is a whale?", response_mode="blocking", auto_generate_name=False)).json()["id"])


async def suggest(house: Served, message: str, *, user: str | None = "u1", key: Key | None = None) -> Answer:
    params = {} if user is None else {"user": user}
    return await house.call("GET", f"/v1/messages/{message}/suggested", key=key, params=params)


async def test_the_model_suggests_questions_from_the_conversation(house: Served) -> None:
    message = await said(house)
    house.upstream.script = Script(tokens=['["How big', ' is it?", "Where?",', ' "Why?"]'])
    answer = await suggest(house, message)
    assert (answer.status, answer.json()) == (200, {"result": "success", "data": ["How big is it?", "Where?", "Why?"]})
    assert "What is a whale?" in str(house.upstream.last.body)


@pytest.mark.parametrize("script", [Script(fail=400), Script(fail=401), Script(tokens=[""])])
async def test_a_failing_model_suggests_nothing(house: Served, script: Script) -> None:
    message = await said(house)
    house.upstream.script = script
    answer = await suggest(house, message)
    assert (answer.status, answer.json()) == (200, {"result": "success", "data": []})


async def test_without_a_model_nothing_is_suggested(house: Served) -> None:
    message = await said(house)

    def forget() -> None:
        for row in (*DefaultModel.objects.all(), *ModelCredential.objects.all()):
            row.delete()

    await sync_to_async(forget)()
    answer = await suggest(house, message)
    assert (answer.status, answer.json()["data"]) == (200, [])


async def test_an_app_that_does_not_suggest_says_so(house: Served) -> None:
    message = str((await house.ask(response_mode="blocking")).json()["id"])
    assert_error(await suggest(house, message), 400, "bad_request")


async def test_the_user_is_required(house: Served) -> None:
    message = await said(house)
    for user in (None, ""):
        assert_error(await suggest(house, message, user=user), 400, "invalid_param", params="user")


async def test_strangers_get_no_suggestions(house: Served) -> None:
    message = await said(house)
    before = house.upstream.requests
    assert_error(await suggest(house, message, user="u2"), 404, "not_found")
    assert_error(await suggest(house, message, key=house.foreign), 404, "not_found")
    for unknown in (UNKNOWN_ID, "no-uuid"):
        assert_error(await suggest(house, unknown), 404, "not_found")
    assert house.upstream.requests == before
