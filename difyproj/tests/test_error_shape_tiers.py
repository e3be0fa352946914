"""Every error on every route of the Console API, the Web API and of files has the one shape; other paths are no routes."""

from __future__ import annotations

from posixpath import normpath

import pytest
import yarl
from asgiref.sync import sync_to_async

from accounts.services import sessions
from difyproj.testing.console import TierClient, signed_in, visiting
from difyproj.testing.served import Answer, Key, Served
from difyproj.tiers.features_off import FeatureOff

from .routes import METHODS, Route, routes
from .shapes import ODD_BODIES, ODD_IDS, assert_shape

DOCUMENTS = ("openapi.json", "docs", "redoc")
NOWHERE = (
    "/", "/nope", "/nope/nope/nope", "/apps/x/y/z", "/%00", "/%F0%9F%92%A9", "/;/apps", "/apps;x=1", "/" + "x" * 5000,
)  # fmt: skip
BELOW = ("/v1", "/console/api", "/api", "/files", "/triggers")


def tier(prefix: str) -> list[Route]:
    return [route for route in routes(prefix) if not route.path.endswith(DOCUMENTS)]


async def knock_oddly(client: TierClient, route: Route) -> None:
    """Every method; those that the route serves with odd bodies and odd ids."""
    odd_ids = ODD_IDS if route.parameters and route.view is not FeatureOff else ODD_IDS[:1]
    for method in METHODS:
        served = method in route.methods
        for odd_id in odd_ids if served else odd_ids[:1]:
            bodies = ODD_BODIES if served and odd_id == odd_ids[0] else ODD_BODIES[-1:]
            for body in bodies:
                path = normpath(route.path.format(**dict.fromkeys(route.parameters, odd_id)))
                if not path.startswith(f"{client.prefix}/"):
                    continue
                answer = await client.call(
                    method.upper(), path.removeprefix(client.prefix), json=body, params={"limit": "x", "page": "-1"}
                )
                told = f"{method} {path} {body!r}: {answer.status} {answer.body[:200]!r}"
                assert_shape(answer, path, told)
                assert served or answer.status >= 400, told


async def test_odd_requests_to_the_console_get_the_envelope(house: Served) -> None:
    for route in tier("console/api/"):
        await knock_oddly(await signed_in(house, house.cast.alice), route)


@pytest.mark.parametrize("mode", ["chat", "completion"])
async def test_odd_requests_of_visitors_get_the_envelope(house: Served, mode: str) -> None:
    key: Key = getattr(house, mode)
    for route in tier("api/"):
        await knock_oddly(await visiting(house, key.app), route)


async def test_odd_addresses_of_files_get_the_envelope(house: Served) -> None:
    for route in tier("files/"):
        await knock_oddly(TierClient(house, "/files", {"Authorization": ""}), route)


async def test_odd_calls_of_webhooks_get_their_own_shape(house: Served) -> None:
    assert tier("triggers/")
    for route in tier("triggers/"):
        await knock_oddly(TierClient(house, "/triggers", {"Authorization": ""}), route)


@pytest.mark.parametrize("prefix", ["console/api/", "api/"])
async def test_nobody_gets_the_envelope(house: Served, prefix: str) -> None:
    for route in tier(prefix):
        for method in METHODS:
            path = route.path.format(**dict.fromkeys(route.parameters, "x"))
            answer = await house.call(method.upper(), path, headers={"Authorization": "Bearer wrong"})
            assert_shape(answer, path, f"{method} {path}: {answer.status} {answer.body[:200]!r}")


@pytest.mark.parametrize("prefix", BELOW)
async def test_what_is_no_route_is_not_found_in_the_envelope(house: Served, prefix: str) -> None:
    for below in (
        "/",
        "/nope",
        "/nope/nope/nope",
        "/apps/x/y/z",
        "/%00",
        "/%F0%9F%92%A9",
        "/;/apps",
        "/apps;x=1",
        "/" + "x" * 5000,
    ):
        for method in (*METHODS, "head", "trace"):
            async with house.client.request(method, yarl.URL(house.url + prefix + below, encoded=True)) as response:
                answer = Answer(response.status, response.headers, await response.read())
            told = f"{method} {prefix}{below}: {answer.status} {answer.body[:200]!r}"
            if prefix == "/v1" and below == "/":
                continue
            assert answer.status in (404, 405), told
            if method != "head":
                assert_shape(answer, prefix + below, told)


PRIVATE = "/console/api/account/profile"
TRICKS = (
    "/console/api/ping/../account/profile",
    "/console/api/ping/%2e%2e/account/profile",
    "/console/api/ping/%2E%2E/account/profile",
    "/console/api/ping/..%2faccount/profile",
    "/console/api/./account/profile",
    "/console/api//account/profile",
    "/console/api/account//profile",
    "/console/api/account%2fprofile/",
    "/console/api/account/profile/",
    "/console/api/account/profile%20",
    "/console/api/account/profile;",
    "/console/api/account/profile.json",
    "/console/api/account/Profile",
    "/console/api/ACCOUNT/profile",
    "/console/api/account\\profile",
    "/v1/../console/api/account/profile",
    "/api/../console/api/account/profile",
    "//console/api/account/profile",
    "/console//api/account/profile",
    "/Console/api/account/profile",
    "/console/API/account/profile",
    "/%2e/console/api/account/profile",
    "/console/%2e/api/account/profile",
    "/files/../console/api/account/profile",
)


async def test_a_path_is_a_route_exactly_or_not_at_all(house: Served) -> None:
    """Even for somebody who may read the page: what another spelling reached, a gate in front could not have seen."""
    tokens = await sync_to_async(sessions.open)(house.cast.alice.account, method="test")
    headers = {"Authorization": f"Bearer {tokens.access}"}
    found = {}
    for path in (PRIVATE, *TRICKS):
        address = yarl.URL(house.url + path, encoded=True)
        async with house.client.get(address, headers=headers, allow_redirects=False) as response:
            assert path == PRIVATE or b"alice@acme.example" not in await response.read(), path
            found[path] = response.status
    assert found == {PRIVATE: 200, **dict.fromkeys(TRICKS, 404)}
