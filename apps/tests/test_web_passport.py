"""GET /api/passport, and every way of showing what it gives."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test.utils import override_settings

from accounts.models import Membership, Tenant, TenantStatus
from accounts.services import sessions
from apps.models import AppStatus, EndUser
from apps.services import sites
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.served import Answer, Served

from .contract import UNKNOWN_ID, assert_error
from .visits import asked, change_app, for_members, passport, site_of, visit, web_login


def claims(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    read: dict[str, Any] = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
    return read


async def show(house: Served, headers: dict[str, str], path: str = "/api/parameters") -> Answer:
    return await house.call("GET", path, headers={"Authorization": "", **headers})


async def test_a_passport_names_a_new_anonymous_visitor(house: Served) -> None:
    answer = await passport(house)
    told = claims(answer)
    site = await site_of(house.chat)
    assert (told["iss"], told["sub"]) == ("SELF_HOSTED", "Web API Passport")
    assert (told["app_id"], told["app_code"]) == (str(house.chat.app.pk), site.code)
    row = await EndUser.objects.aget()
    assert (str(row.pk), row.type, row.is_anonymous, row.external_user_id) == (told["end_user_id"], "browser", True, None)
    assert answer.headers["Cache-Control"] == "no-store"
    again = claims(await passport(house))
    assert again["end_user_id"] != told["end_user_id"]


async def test_a_user_id_names_the_same_visitor_again(house: Served) -> None:
    first, second = [claims(await passport(house, user_id="ann")) for _ in range(2)]
    assert first["end_user_id"] == second["end_user_id"]
    row = await EndUser.objects.aget()
    assert (row.session_id, row.is_anonymous, row.external_user_id) == ("ann", False, "ann")


@override_settings(WEB_PASSPORT_RATE="2/d")
async def test_one_place_gets_so_many_passports(house: Served) -> None:
    assert [(await passport(house)).status for _ in range(2)] == [200, 200]
    refused = await passport(house)
    assert_error(refused, 429, "too_many_requests")
    assert int(refused.headers["Retry-After"]) >= 1
    assert await EndUser.objects.acount() == 2


async def test_without_a_code_there_is_no_passport(house: Served) -> None:
    for code in ("", "  "):
        answer = await house.call("GET", "/api/passport", headers={"X-App-Code": code})
        assert_error(answer, 401, "unauthorized")
    assert not await EndUser.objects.aexists()


@pytest.mark.parametrize("user_id", ["x" * 256, "a\0b"])
async def test_a_user_id_that_cannot_be_kept_is_refused(house: Served, user_id: str) -> None:
    assert_error(await passport(house, user_id=user_id), 400, "invalid_param", params="user_id")


async def test_a_site_that_is_unknown_or_closed_is_not_found(house: Served) -> None:
    for code in ("nowhere", "x" * 500, "Grüße"):
        answer = await house.call("GET", "/api/passport", headers={"X-App-Code": code})
        assert_error(answer, 404, "not_found")
    for change in ({"enable_site": False}, {"enable_site": True, "status": AppStatus.SUSPENDED}):
        await change_app(house.chat, **change)
        assert_error(await passport(house), 404, "not_found")
    assert not await EndUser.objects.aexists()


async def test_a_passport_is_shown_in_three_ways(house: Served) -> None:
    site, token = await site_of(house.chat), (await passport(house)).json()["access_token"]
    code = {"X-App-Code": site.code}
    for headers in (
        {**code, "X-App-Passport": token},
        {"X-App-Passport": token},
        {**code, "Cookie": f"passport-{site.code}={token}"},
        {**code, "Authorization": f"Bearer {token}"},
        {"Authorization": f"bearer {token}"},
    ):
        assert (await show(house, headers)).status == 200, headers
    assert_error(await show(house, {"Cookie": f"passport-{site.code}={token}"}), 401, "unauthorized")


async def test_what_is_no_passport_is_refused(house: Served) -> None:
    token = (await passport(house)).json()["access_token"]
    told = jwt.decode(token, options={"verify_signature": False})
    for wrong in (
        "", "nonsense", token[:-3], house.chat.token, jwt.encode(told, "another key of thirty-two characters", "HS256"),
        jwt.encode({**told, "sub": "Console API Passport"}, settings.SECRET_KEY, "HS256"),
        jwt.encode({**told, "exp": 1}, settings.SECRET_KEY, "HS256"),
        jwt.encode({name: value for name, value in told.items() if name != "end_user_id"}, settings.SECRET_KEY, "HS256"),
        jwt.encode(told, "", "none"),
    ):  # fmt: skip
        answer = await show(house, {"X-App-Passport": wrong})
        assert_error(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


async def test_a_passport_without_its_end_user_is_not_found(house: Served) -> None:
    told = claims(await passport(house))
    lost = jwt.encode({**told, "end_user_id": UNKNOWN_ID}, settings.SECRET_KEY, "HS256")
    assert_error(await show(house, {"X-App-Passport": lost}), 404, "not_found")
    foreign = claims(await passport(house, house.foreign))
    swapped = jwt.encode({**told, "end_user_id": foreign["end_user_id"]}, settings.SECRET_KEY, "HS256")
    assert_error(await show(house, {"X-App-Passport": swapped}), 404, "not_found")


async def test_a_passport_belongs_to_its_app(house: Served) -> None:
    token = (await passport(house)).json()["access_token"]
    for other in (house.completion, house.foreign):
        code = (await site_of(other)).code
        assert_error(await show(house, {"X-App-Code": code, "X-App-Passport": token}), 401, "unauthorized")


async def test_a_new_site_code_ends_the_passports_of_the_old(house: Served) -> None:
    visitor = await visit(house)
    await sync_to_async(sites.update)(await site_of(house.chat), code="another-code")
    assert_error(await show(house, {"X-App-Passport": visitor.headers["X-App-Passport"]}), 401, "unauthorized")


async def test_a_site_that_is_switched_off_refuses_its_passports(house: Served) -> None:
    visitor = await visit(house)
    await change_app(house.chat, enable_site=False)
    assert_error(await visitor.get("/site"), 400, "bad_request")
    await change_app(house.chat, enable_site=True)
    assert (await visitor.get("/site")).status == 200


async def test_an_archived_workspace_refuses_visitors(house: Served) -> None:
    visitor = await visit(house)
    tenant = await Tenant.objects.aget(pk=house.cast.alice.tenant.pk)
    tenant.status = TenantStatus.ARCHIVED
    await tenant.asave()
    assert_error(await visitor.get("/site"), 403, "forbidden")
    assert_error(await passport(house), 404, "not_found")


async def test_a_passport_opens_no_other_tier_and_other_keys_open_no_page(house: Served) -> None:
    visitor, norma = await visit(house), await signed_in(house, house.cast.norma)
    token = visitor.headers["X-App-Passport"]
    for path in ("/v1/parameters", "/v1/conversations", "/console/api/apps"):
        for headers in (
            {"Authorization": f"Bearer {token}"},
            {"Authorization": "", "X-App-Passport": token, "Cookie": f"access_token={token}"},
        ):
            assert (await house.call("GET", path, headers=headers)).status == 401, path
    web = (await web_login(house.cast.norma)).access
    assert_error(await house.call("GET", "/console/api/apps", headers={"Authorization": f"Bearer {web}"}), 401, "unauthorized")
    for other in (house.chat.token, norma.headers["Authorization"][7:], web):
        for headers in ({"Authorization": f"Bearer {other}"}, {"X-App-Passport": other}):
            assert_error(await show(house, headers), 401, "unauthorized")


async def test_a_page_for_members_wants_their_sign_in(house: Served) -> None:
    await for_members(house.chat)
    assert_error(await passport(house), 401, "web_app_auth_required")
    console = await signed_in(house, house.cast.norma)
    assert_error(await passport(house, headers=console.headers), 401, "web_app_auth_required")
    assert_error(await passport(house, headers={"Authorization": "Bearer nonsense"}), 401, "web_app_auth_required")
    stranger = await web_login(house.cast.eve)
    assert_error(await passport(house, headers={"Authorization": f"Bearer {stranger.access}"}), 401, "web_app_access_denied")
    member = await web_login(house.cast.norma)
    bearer, cookie = {"Authorization": f"Bearer {member.access}"}, {"Cookie": f"webapp_access_token={member.access}"}
    stale = {"Cookie": "webapp_access_token=stale"}
    for headers in (bearer, cookie, {**bearer, **stale}, {**cookie, "Authorization": "Bearer of-something-else"}):
        told = claims(await passport(house, headers=headers, user_id="somebody-else"))
        assert (told["user_id"], told["token_source"]) == (str(house.cast.norma.account.pk), "webapp_login_token")
        assert (told["auth_type"], isinstance(told["granted_at"], int)) == ("internal", True)
    row = await EndUser.objects.aget()
    assert (row.type, row.session_id, row.is_anonymous) == ("member", str(house.cast.norma.account.pk), False)


async def test_a_members_passport_ends_with_the_session_and_the_membership(house: Served) -> None:
    await for_members(house.chat)
    for end in ("session", "membership"):
        member = await web_login(house.cast.norma)
        answer = await passport(house, headers={"Authorization": f"Bearer {member.access}"})
        headers = {"X-App-Passport": answer.json()["access_token"]}
        assert (await show(house, headers)).status == 200
        if end == "session":
            await sync_to_async(sessions.close)(member.session_id)
            assert_error(await show(house, headers), 401, "web_app_auth_required")
        else:
            await (await Membership.objects.aget(pk=house.cast.norma.membership.pk)).adelete()
            assert_error(await show(house, headers), 401, "web_app_access_denied")


async def test_a_page_that_becomes_one_for_members_refuses_the_passports_of_before(house: Served) -> None:
    visitor = await visit(house)
    await for_members(house.chat)
    assert_error(await visitor.get("/site"), 401, "web_app_auth_required")


async def test_nobody_takes_a_members_place_once_the_page_is_open_to_all(house: Served) -> None:
    await for_members(house.chat)
    member = await web_login(house.cast.norma)
    token = (await passport(house, headers={"Authorization": f"Bearer {member.access}"})).json()["access_token"]
    norma = TierClient(house, "/api", {"X-App-Passport": token, "Authorization": ""})
    await asked(norma, "My secret")
    await change_app(house.chat, access_mode="public")
    impostor = await visit(house, user_id=str(house.cast.norma.account.pk))
    assert (await impostor.get("/conversations")).json()["data"] == []
    assert len((await norma.get("/conversations")).json()["data"]) == 1
    await sync_to_async(sessions.close)(member.session_id)
    assert_error(await norma.get("/conversations"), 401, "web_app_auth_required")
