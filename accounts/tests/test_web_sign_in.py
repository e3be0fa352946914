"""Sign-in to published pages: the cookie, what it opens, and what a page may ask before anybody has signed in."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async

from accounts.models import AccountStatus, Session
from accounts.services import accounts
from apps.models import AccessMode
from apps.services import apps, sites
from difyproj.kernel import ids
from difyproj.testing.browser import Browser, set_cookies
from difyproj.testing.cast import PASSWORD, Cast
from difyproj.testing.served import Served

ALICE, EVE = "alice@acme.example", "eve@evil.example"


@pytest.fixture
async def code(house: Served) -> str:
    """The code of Alice's chat app, which is for members only."""
    await sync_to_async(apps.update)(house.chat.app, access_mode=AccessMode.PRIVATE_ALL)
    return (await sync_to_async(sites.of)(house.chat.app)).code


async def test_a_password_gives_the_pages_cookie_and_the_token(page: Browser) -> None:
    answer = await page.sign_in(ALICE, PASSWORD)
    assert answer.json() == {"result": "success", "data": {"access_token": page.cookies["webapp_access_token"]}}
    (line,) = set_cookies(answer)
    assert "HttpOnly" in line and "SameSite=Lax" in line
    row = await Session.objects.aget()
    assert (row.scope, row.method) == ("web-app", "password")


async def test_refusals_are_those_of_the_contract_and_tell_nobody_who_has_an_account(page: Browser, cast: Cast) -> None:
    answers = [await page.sign_in(email, "wrong") for email in (ALICE, f"{ids.new_id()}@nowhere.example")]
    assert {(answer.status, answer.body) for answer in answers} == {(401, answers[0].body)}
    assert answers[0].json()["code"] == "authentication_failed"
    assert (await page.post("/login", {"email": ALICE})).status == 400
    await sync_to_async(accounts.set_status)(account=cast.alice.account, status=AccountStatus.BANNED)
    answer = await page.sign_in(ALICE, PASSWORD)
    assert (answer.status, answer.json()["code"]) == (403, "account_banned")


async def test_a_pages_session_does_not_open_the_console_nor_the_other_way_round(
    page: Browser, browser: Browser, code: str
) -> None:
    web = (await page.sign_in(ALICE, PASSWORD)).json()["data"]["access_token"]
    console = (await browser.sign_in(ALICE, PASSWORD)).json()["data"]["access_token"]
    crossed = await page.house.call("GET", "/console/api/features", headers={"Authorization": f"Bearer {web}"})
    assert crossed.status == 401
    passport = await browser.house.call(
        "GET", "/api/passport", headers={"Authorization": f"Bearer {console}", "X-App-Code": code}
    )
    assert passport.status == 401


async def test_members_get_a_passport_to_their_page_and_strangers_do_not(page: Browser, code: str) -> None:
    at_site = {"X-App-Code": code}
    refused = await page.call("GET", "/passport", headers=at_site)
    assert (refused.status, refused.json()["code"]) == (401, "web_app_auth_required")
    await page.sign_in(EVE, PASSWORD)
    refused = await page.call("GET", "/passport", headers=at_site)
    assert (refused.status, refused.json()["code"]) == (401, "web_app_access_denied")
    await page.sign_in(ALICE, PASSWORD)
    passport = (await page.call("GET", "/passport", headers=at_site)).json()["access_token"]
    visiting = {**at_site, "X-App-Passport": passport}
    assert (await page.call("GET", "/parameters", headers=visiting)).status == 200
    status = await page.call("GET", "/login/status", params={"app_code": code}, headers=visiting)
    assert status.json() == {"logged_in": True, "app_logged_in": True}
    await page.post("/logout")
    assert not page.cookies
    assert (await page.call("GET", "/parameters", headers=visiting)).status == 401
    status = await page.call("GET", "/login/status", params={"app_code": code}, headers=visiting)
    assert status.json() == {"logged_in": False, "app_logged_in": False}


async def test_the_access_mode_is_told_by_id_and_by_code(page: Browser, house: Served, code: str) -> None:
    app_id = str(house.chat.app.pk)
    for asked in ({"appId": app_id}, {"appCode": code}):
        assert (await page.get("/webapp/access-mode", **asked)).json() == {"accessMode": "private_all"}
    public = {"appId": str(house.completion.app.pk)}
    assert (await page.get("/webapp/access-mode", **public)).json() == {"accessMode": "public"}
    missing = await page.get("/webapp/access-mode")
    assert (missing.status, missing.json()["code"]) == (400, "bad_request")
    for unknown in ({"appId": str(ids.new_id())}, {"appId": "x"}, {"appCode": "unknown"}):
        assert (await page.get("/webapp/access-mode", **unknown)).status == 404
    await sync_to_async(apps.update)(house.chat.app, enable_site=False)
    assert (await page.get("/webapp/access-mode", appId=app_id)).status == 404


async def test_permission_is_for_members_and_at_public_apps_for_everybody(page: Browser, house: Served, code: str) -> None:
    asked = {"appId": str(house.chat.app.pk)}
    assert (await page.get("/webapp/permission", **asked)).json() == {"result": False}
    await page.sign_in(EVE, PASSWORD)
    assert (await page.get("/webapp/permission", **asked)).json() == {"result": False}
    await page.sign_in(ALICE, PASSWORD)
    assert (await page.get("/webapp/permission", **asked)).json() == {"result": True}
    public = {"appId": str(house.completion.app.pk)}
    assert (await Browser(house, "/api").get("/webapp/permission", **public)).json() == {"result": True}
    assert (await page.get("/webapp/permission")).status == 400
    assert (await page.get("/webapp/permission", appId=str(ids.new_id()))).status == 404


async def test_at_a_public_page_everybody_counts_as_signed_in(page: Browser, house: Served) -> None:
    site = await sync_to_async(sites.of)(house.completion.app)
    assert (await page.get("/login/status")).json() == {"logged_in": False, "app_logged_in": False}
    assert (await page.get("/login/status", app_code=site.code)).json() == {"logged_in": True, "app_logged_in": False}
    passport = (await page.call("GET", "/passport", headers={"X-App-Code": site.code})).json()["access_token"]
    page.cookies[f"passport-{site.code}"] = passport
    assert (await page.get("/login/status", app_code=site.code)).json() == {"logged_in": True, "app_logged_in": True}
    assert (await page.get("/login/status", app_code="unknown")).status == 404


async def test_signing_out_of_the_pages_leaves_the_console_signed_in(page: Browser, browser: Browser) -> None:
    await page.sign_in(ALICE, PASSWORD)
    await browser.sign_in(ALICE, PASSWORD)
    assert (await page.post("/logout")).json() == {"result": "success"}
    assert [row.scope async for row in Session.objects.all()] == ["console"]
    assert (await page.post("/logout")).status == 200
