"""CSRF: no write of the console works on cookies alone (the rows come from the URL table), and exact paths only."""

from __future__ import annotations

import pytest
import yarl

from accounts.models import Session
from accounts.services import sessions
from apps.models import App
from difyproj.kernel import ids
from difyproj.testing.browser import Browser
from difyproj.testing.cast import PASSWORD, Cast
from difyproj.testing.served import Served
from difyproj.tiers.console import SAFE_METHODS, ConsoleViewSet

from .routes import Route, routes

ALICE = "alice@acme.example"
WRITES = [
    (method, route)
    for route in routes("console/api/")
    for method in route.methods
    if route.view is not None and issubclass(route.view, ConsoleViewSet) and method.upper() not in SAFE_METHODS
]


@pytest.fixture
def browser(house: Served) -> Browser:
    return Browser(house)


def path_of(route: Route) -> str:
    """Its parameters filled with an id that nobody has."""
    return route.path.format(**dict.fromkeys(route.parameters, str(ids.new_id()))).removeprefix("/console/api")


async def test_no_write_works_on_cookies_alone(browser: Browser) -> None:
    await browser.sign_in(ALICE, PASSWORD)
    assert WRITES
    for method, route in WRITES:
        answer = await browser.call(method.upper(), path_of(route), csrf=False, json={})
        told = f"{method} {route.path}: {answer.status}"
        assert (answer.status, answer.json()["code"]) == (401, "unauthorized"), told
    assert await App.objects.acount() == 3


@pytest.mark.parametrize("header", ["", "x", "a.b.c"])
async def test_a_header_that_is_not_the_cookie_is_refused(browser: Browser, header: str) -> None:
    await browser.sign_in(ALICE, PASSWORD)
    answer = await browser.post("/notification/dismiss", csrf=False, headers={"X-CSRF-Token": header})
    assert answer.status == 401


async def test_header_and_cookie_of_another_account_are_refused(browser: Browser, house: Served) -> None:
    await browser.sign_in(ALICE, PASSWORD)
    eve = Browser(house)
    await eve.sign_in("eve@evil.example", PASSWORD)
    browser.cookies["csrf_token"] = eve.cookies["csrf_token"]
    assert (await browser.post("/notification/dismiss", {"notification_id": "x"})).status == 401
    browser.cookies["csrf_token"] = browser.cookies["access_token"]
    assert (await browser.post("/notification/dismiss", {"notification_id": "x"})).status == 401


async def test_the_header_lets_cookies_through_and_bearer_needs_none(browser: Browser, house: Served) -> None:
    await browser.sign_in(ALICE, PASSWORD)
    # 404: there is no such notice, but the caller was let in.
    assert (await browser.post("/notification/dismiss", {"notification_id": "x"})).status == 404
    bearer = {"Authorization": f"Bearer {browser.cookies['access_token']}"}
    answer = await house.call("POST", "/console/api/notification/dismiss", headers=bearer, json={"notification_id": "x"})
    assert answer.status == 404


async def test_reading_needs_no_header(browser: Browser) -> None:
    await browser.sign_in(ALICE, PASSWORD)
    assert (await browser.call("GET", "/features", csrf=False)).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/features/",
        "//features",
        "/./features",
        "/system-features/../features",
        "/Features",
        "/%66eatures/",
        "/login/%2e%2e/features",
    ],
)
async def test_only_the_exact_path_is_a_route(browser: Browser, path: str) -> None:
    await browser.sign_in(ALICE, PASSWORD)
    reader_url = f"{browser.house.url}/console/api{path}"
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    async with browser.house.client.get(yarl.URL(reader_url, encoded=True), headers={"Cookie": cookie}) as response:
        assert response.status == 404


def test_a_session_of_one_person_is_not_closed_by_another(cast: Cast) -> None:
    tokens = sessions.open(cast.alice.account, method="test")
    assert not sessions.close_one(cast.eve.account, tokens.session_id)
    assert Session.objects.count() == 1
