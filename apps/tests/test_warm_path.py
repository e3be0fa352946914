"""Token lookup and app configuration cost no query while warm, and an edit through the console is soon seen everywhere."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest

from difyproj.testing.process import Installation
from difyproj.testing.queries import queries_of

from .console_crew import Crew

SEEN_SECONDS = 1.0


@pytest.mark.parametrize("path", ["/v1/parameters", "/v1/meta"])
async def test_a_warm_lookup_asks_the_database_nothing(crew: Crew, path: str) -> None:
    assert await queries_of(crew.house.call, "GET", path) == 0


async def test_the_caller_of_a_warm_console_costs_nothing_either(crew: Crew) -> None:
    """The one query is the app's own row, which the console always reads anew."""
    assert await queries_of(crew.bob.get, f"/apps/{crew.house.chat.app.pk}/trace") == 1


async def test_an_edit_through_the_console_is_seen_by_the_next_request_of_its_own_process(crew: Crew) -> None:
    path = f"/apps/{crew.house.chat.app.pk}/model-config"
    for opening in ("First.", "Second."):
        await crew.bob.post(path, {**crew.house.chat.app.config, "opening_statement": opening})
        assert (await crew.house.call("GET", "/v1/parameters")).json()["opening_statement"] == opening


async def test_an_edit_through_the_console_of_one_process_is_seen_by_another_within_a_second(installed: Installation) -> None:
    first = await asyncio.to_thread(installed.start)
    second = await asyncio.to_thread(installed.start)
    facts = installed.facts()
    app = next(app for app in facts["apps"] if app["mode"] == "chat")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:

        async def opening(url: str) -> str:
            async with client.get(f"{url}/v1/parameters", headers={"Authorization": f"Bearer {app['token']}"}) as response:
                told: dict[str, Any] = await response.json()
                return str(told["opening_statement"])

        async with client.post(f"{first.url}/console/api/login", json=facts["admin"]) as response:
            assert response.status == 200, await response.text()
            headers = {"Authorization": f"Bearer {response.cookies['access_token'].value}"}
        waits = []
        for words in ("One.", "Two.", "Three."):
            assert await opening(second.url) != words
            changed = {"opening_statement": words}
            address = f"{first.url}/console/api/apps/{app['id']}/model-config"
            async with client.post(address, json=changed, headers=headers) as response:
                assert response.status == 200, await response.text()
            edited_at = time.monotonic()
            assert await opening(first.url) == words
            while await opening(second.url) != words:
                assert time.monotonic() - edited_at < 10
                await asyncio.sleep(0.02)
            waits.append(time.monotonic() - edited_at)
        assert sorted(waits)[1] < SEEN_SECONDS
