"""Which pages of other origins may call: a site's own list, or the instance's."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test.utils import override_settings

from apps.services import sites
from difyproj.testing.served import Answer, Key, Served

from .visits import change_site, passport, site_of, visit

OURS, THEIRS = "https://ours.example", "https://theirs.example"
NOBODY: dict[str, Any] = {"WEB_API_CORS_ALLOW_ORIGINS": []}


def told(answer: Answer) -> tuple[str | None, str | None]:
    """The origin that may read the answer, and whether with cookies."""
    headers = answer.headers
    return headers.get("Access-Control-Allow-Origin"), headers.get("Access-Control-Allow-Credentials")


async def preflight(house: Served, origin: str, path: str = "/api/chat-messages") -> Answer:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-app-passport,content-type"}
    return await house.call("OPTIONS", path, headers={"Authorization": "", "Origin": origin, **asked})


async def read(house: Served, key: Key, origin: str) -> Answer:
    visitor = await visit(house, key)
    return await visitor.call("GET", "/site", headers={"Origin": origin})


async def test_by_default_every_page_may_call_without_cookies(house: Served) -> None:
    answer = await preflight(house, THEIRS)
    assert (answer.status, answer.body, told(answer)) == (204, b"", ("*", None))
    allowed = answer.headers["Access-Control-Allow-Headers"]
    assert {"Content-Type", "X-App-Code", "X-App-Passport", "Authorization"} <= set(allowed.split(", "))
    assert {"GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"} == set(
        answer.headers["Access-Control-Allow-Methods"].split(", ")
    )
    assert told(await read(house, house.chat, THEIRS)) == ("*", None)


@override_settings(**NOBODY)
async def test_a_named_origin_passes_the_preflight_and_reads_its_own_site_only(house: Served) -> None:
    assert told(await preflight(house, OURS)) == (None, None)
    await change_site(house.chat, cors_origins=[OURS])
    answer = await preflight(house, OURS)
    assert (told(answer), answer.headers["Vary"]) == ((OURS, "true"), "Origin")
    assert told(await read(house, house.chat, OURS)) == (OURS, "true")
    assert told(await read(house, house.completion, OURS)) == (None, None)
    assert told(await preflight(house, THEIRS)) == (None, None)
    assert told(await read(house, house.chat, THEIRS)) == (None, None)


async def test_a_site_that_names_origins_shuts_out_the_instances(house: Served) -> None:
    await change_site(house.chat, cors_origins=[OURS])
    assert told(await read(house, house.chat, THEIRS)) == (None, None)
    assert told(await read(house, house.completion, THEIRS)) == ("*", None)
    await sync_to_async(sites.update)(await site_of(house.chat), cors_origins=[])
    assert told(await read(house, house.chat, THEIRS)) == ("*", None)


@override_settings(**NOBODY)
async def test_a_page_can_read_why_it_was_refused(house: Served) -> None:
    await change_site(house.chat, cors_origins=[OURS])
    code = (await site_of(house.chat)).code
    headers = {"Authorization": "", "Origin": OURS, "X-App-Code": code}
    answer = await house.call("GET", "/api/site", headers={**headers, "X-App-Passport": "stale"})
    assert (answer.status, told(answer)) == (401, (OURS, "true"))
    given = await passport(house, headers={"Origin": OURS})
    assert (given.status, told(given)) == (200, (OURS, "true"))
    assert told(await passport(house, headers={"Origin": THEIRS})) == (None, None)


@override_settings(**NOBODY)
@pytest.mark.parametrize("path", ["/console/api/apps", "/v1/chat-messages"])
async def test_a_sites_origins_mean_nothing_to_other_tiers(house: Served, path: str) -> None:
    await change_site(house.chat, cors_origins=[OURS])
    with override_settings(CONSOLE_CORS_ALLOW_ORIGINS=[]):
        assert told(await preflight(house, OURS, path))[1] is None


async def test_origins_are_those_of_all_sites_and_of_now(house: Served) -> None:
    assert not await sync_to_async(sites.names_origin)(OURS)
    await change_site(house.foreign, cors_origins=[OURS, THEIRS])
    assert await sync_to_async(sites.names_origin)(OURS)
    await (await site_of(house.foreign)).adelete()
    assert not await sync_to_async(sites.names_origin)(OURS)
