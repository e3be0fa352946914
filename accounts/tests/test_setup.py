"""A new instance: one set-up, by one person, who may have to know INIT_PASSWORD; and what it tells of itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from asgiref.sync import sync_to_async

from accounts.models import Account, Instance, Membership, Session, Tenant
from accounts.services import instance, sessions, tenants
from difyproj.asgi import application
from difyproj.infra import db, limits
from difyproj.kernel.errors import ServiceUnavailable, TooManyRequests
from difyproj.testing.browser import Browser, set_cookies
from difyproj.testing.cast import PASSWORD, Cast
from difyproj.testing.console import signed_in
from difyproj.testing.served import Key, Served, serve

FIRST = {"email": "first@house.example", "name": "First", "password": PASSWORD, "language": "zh-Hans"}


@pytest.fixture
async def empty(house_db: None) -> AsyncIterator[Browser]:
    """A browser at an instance that nobody has set up."""
    instance._set_up.reset()
    nothing: Any = None
    async with serve(application) as url, aiohttp.ClientSession() as client:
        keyless = Key(nothing, "")
        yield Browser(Served(url, nothing, nothing, keyless, keyless, keyless, client))
    await asyncio.to_thread(db.shutdown)


async def test_the_first_visitor_sets_the_instance_up_and_signs_in(empty: Browser) -> None:
    assert (await empty.get("/setup")).json() == {"step": "not_started"}
    assert (await empty.get("/init")).json() == {"status": "finished"}
    for path in ("/login", "/email-code-login", "/forgot-password", "/refresh-token", "/activate", "/email-register"):
        answer = await empty.post(path)
        assert (answer.status, answer.json()["code"]) == (401, "not_setup"), path
    assert (await empty.get("/features")).json()["code"] == "not_setup"
    answer = await empty.post("/setup", FIRST)
    assert (answer.status, answer.json()) == (201, {"result": "success"})
    state = (await empty.get("/setup")).json()
    assert state["step"] == "finished" and state["setup_at"]
    row = await Membership.objects.select_related("account", "tenant").aget()
    assert (row.role, row.account.is_superuser, row.tenant.name) == ("owner", True, "First's Workspace")
    assert (await empty.sign_in(FIRST["email"], PASSWORD)).status == 200
    assert (await empty.get("/features")).status == 200
    again = await empty.post("/setup", {**FIRST, "email": "second@house.example"})
    assert (again.status, again.json()["code"]) == (403, "already_setup")


async def test_of_fifty_set_ups_at_once_one_makes_the_owner(empty: Browser) -> None:
    people = [{**FIRST, "email": f"p{number}@house.example"} for number in range(50)]
    answers = await asyncio.gather(*(empty.post("/setup", person) for person in people))
    assert sorted(answer.status for answer in answers) == [201] + [403] * 49
    assert {answer.json()["code"] for answer in answers if answer.status == 403} == {"already_setup"}
    assert (await Account.objects.acount(), await Tenant.objects.acount(), await Instance.objects.acount()) == (1, 1, 1)
    assert await Membership.objects.filter(role="owner").acount() == 1


async def test_a_set_up_that_is_refused_leaves_the_next_one_free(empty: Browser) -> None:
    for wrong in ({"password": "short"}, {"email": "nobody"}, {"name": ""}, {"name": "x" * 31}, {"password": None}):
        assert (await empty.post("/setup", {**FIRST, **wrong})).status == 400
    assert not await Instance.objects.aexists() and not await Account.objects.aexists()
    assert (await empty.post("/setup", FIRST)).status == 201


async def test_the_init_password_comes_first(empty: Browser, settings: Any) -> None:
    settings.INIT_PASSWORD = "the operator's own"
    assert (await empty.get("/init")).json() == {"status": "not_started"}
    assert (await empty.post("/login")).json()["code"] == "not_init_validated"
    refused = await empty.post("/setup", FIRST)
    assert (refused.status, refused.json()["code"]) == (401, "not_init_validated")
    for wrong in ("guess", "the operator's own "):
        answer = await empty.post("/init", {"password": wrong})
        assert (answer.status, answer.json()["code"]) == (401, "init_validate_failed")
        assert not set_cookies(answer)
    answer = await empty.post("/init", {"password": settings.INIT_PASSWORD})
    assert (answer.status, answer.json()) == (201, {"result": "success"})
    assert "HttpOnly" in set_cookies(answer)[0]
    assert (await empty.get("/init")).json() == {"status": "finished"}
    proof, empty.cookies = empty.cookies["init_validated"], {}
    for forged in (proof[:-1], proof + "x", "validated"):
        empty.cookies = {"init_validated": forged}
        assert (await empty.post("/setup", FIRST)).status == 401
    empty.cookies = {"init_validated": proof}
    assert (await empty.post("/setup", FIRST)).status == 201
    assert "init_validated" not in empty.cookies
    assert (await empty.post("/init", {"password": settings.INIT_PASSWORD})).json()["code"] == "already_setup"


async def test_who_made_a_superuser_has_set_the_instance_up(empty: Browser) -> None:
    await sync_to_async(Account.objects.create_superuser)(email="operator@house.example", password=PASSWORD)
    refused = await empty.post("/setup", FIRST)
    assert (refused.status, refused.json()["code"]) == (403, "already_setup")
    assert (await empty.post("/init", {"password": "x"})).json()["code"] == "already_setup"
    state = (await empty.get("/setup")).json()
    assert state["step"] == "finished" and state["setup_at"]
    assert await Account.objects.filter(is_superuser=True).acount() == 1
    await sync_to_async(Account.objects.create_superuser)(email="second@house.example", password=PASSWORD)
    assert (await empty.post("/setup", FIRST)).status == 403


async def test_a_production_instance_is_set_up_only_with_an_init_password(empty: Browser, settings: Any) -> None:
    settings.PRODUCTION = True
    assert (await empty.get("/init")).json() == {"status": "not_started"}
    assert (await empty.post("/login")).json()["code"] == "not_init_validated"
    for path, sent, code in (
        ("/init", {"password": "x"}, "init_validate_failed"),
        ("/setup", FIRST, "not_init_validated"),
    ):
        refused = await empty.post(path, sent)
        assert (refused.status, refused.json()["code"]) == (401, code)
        assert "INIT_PASSWORD" in refused.json()["message"] and "createsuperuser" in refused.json()["message"]
    assert not await Account.objects.aexists()
    settings.INIT_PASSWORD = "the operator's own"
    assert (await empty.post("/init", {"password": settings.INIT_PASSWORD})).status == 201
    assert (await empty.post("/setup", FIRST)).status == 201


async def test_the_instance_tells_the_same_of_itself_on_both_tiers(empty: Browser, settings: Any) -> None:
    settings.ALLOW_REGISTER, settings.EMAIL_BACKEND = True, "django.core.mail.backends.smtp.EmailBackend"
    told = (await empty.get("/system-features")).json()
    assert told == (await Browser(empty.house, "/api").get("/system-features")).json()
    assert (told["is_allow_register"], told["is_email_setup"], told["enable_email_code_login"]) == (True, True, True)
    settings.ALLOW_REGISTER, settings.EMAIL_BACKEND = False, "django.core.mail.backends.console.EmailBackend"
    told = (await empty.get("/system-features")).json()
    assert (told["is_allow_register"], told["is_email_setup"], told["enable_email_code_login"]) == (False, False, False)
    assert set(told) == {
        "branding", "enable_app_deploy", "enable_change_email", "enable_collaboration_mode", "enable_creators_platform",
        "enable_email_code_login", "enable_email_password_login", "enable_explore_banner", "enable_marketplace",
        "enable_social_oauth_login", "enable_trial_app", "is_allow_create_workspace", "is_allow_register", "is_email_setup",
        "license", "max_plugin_package_size", "plugin_installation_permission", "plugin_manager", "sso_enforced_for_signin",
        "sso_enforced_for_signin_protocol", "webapp_auth",
    }  # fmt: skip


async def test_the_version_is_told_and_nobody_is_asked_for_a_newer_one(empty: Browser, settings: Any) -> None:
    told = (await empty.get("/version", current_version="0.0.1")).json()
    assert set(told) == {"version", "release_date", "release_notes", "can_auto_update", "features"}
    assert (told["version"], told["can_auto_update"]) == (settings.APP_VERSION, False)
    assert (await empty.get("/ping")).json() == {"result": "pong"}


async def test_nobody_is_told_how_many_workspaces_there_are(house: Served, cast: Cast) -> None:
    told = (await Browser(house).get("/system-features")).json()
    assert told["license"]["workspaces"]["size"] == 0


async def test_the_init_password_is_not_guessed_from_a_network_or_uncounted(
    empty: Browser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INIT_PASSWORD, settings.SIGN_IN_IP_RATE = "the operator's own", "3/h"
    prove, network = sync_to_async(instance.prove_init), f"2001:db8:0:{uuid4().hex[:4]}"
    for number in range(3):
        with pytest.raises(instance.InitValidateFailed):
            await prove("wrong", ip=f"{network}::{number}")
    with pytest.raises(TooManyRequests):
        await prove(settings.INIT_PASSWORD, ip=f"{network}:1:2:3:4")
    monkeypatch.setattr(limits, "_usage", lambda *_, **__: None)
    with pytest.raises(ServiceUnavailable):
        await prove(settings.INIT_PASSWORD, ip=f"{network}::7")


async def test_members_see_their_workspaces_limits_and_what_it_uses(house: Served, cast: Cast) -> None:
    alice, eve = await signed_in(house, cast.alice), await signed_in(house, cast.eve)
    told = (await alice.get("/features")).json()
    assert (told["members"], told["apps"]) == ({"size": 3, "limit": 0}, {"size": 2, "limit": 0})
    assert (await eve.get("/features")).json()["members"]["size"] == 1
    assert told["billing"]["enabled"] is False
    assert (await alice.get("/features/vector-space")).json() == {"size": 0, "limit": 0}
    assert (await alice.get("/trial-models")).json() == {"trial_models": []}
    assert (await alice.get("/notification")).json() == {"should_show": False, "notifications": []}
    assert (await alice.post("/notification/dismiss", {"notification_id": "x"})).status == 404
    schemas = (await alice.get("/spec/schema-definitions")).json()
    assert {"file", "qa_structure"} <= {schema["name"] for schema in schemas}
    assert all(schema["schema"]["type"] == "object" for schema in schemas)


async def test_only_who_runs_the_instance_sees_every_workspace(house: Served, cast: Cast) -> None:
    alice, eve = await signed_in(house, cast.alice), await signed_in(house, cast.eve)
    refused = await eve.get("/all-workspaces")
    assert (refused.status, refused.json()["code"]) == (403, "system_admin_required")
    cast.alice.account.is_superuser = True
    await cast.alice.account.asave(update_fields=["is_superuser"])
    first = (await alice.get("/all-workspaces", limit="1")).json()
    assert (first["total"], first["has_more"], len(first["data"])) == (2, True, 1)
    second = (await alice.get("/all-workspaces", limit="1", page="2")).json()
    assert {first["data"][0]["name"], second["data"][0]["name"]} == {"Acme", "Evil Corp"}
    assert (await alice.get("/all-workspaces", page="0")).status == 400


async def test_a_session_goes_with_its_workspace_of_origin(house: Served, cast: Cast) -> None:
    """An account that loses its workspaces keeps its session, and is told what it lacks."""
    norma = await signed_in(house, cast.norma)
    assert (await norma.get("/features")).status == 200
    await (await Membership.objects.aget(pk=cast.norma.membership.pk)).adelete()
    refused = await norma.get("/features")
    assert (refused.status, refused.json()["code"]) == (403, "account_not_link_tenant")
    await sync_to_async(tenants.create)(name="Her own", owner=cast.norma.account)
    assert (await norma.get("/features")).json()["members"]["size"] == 1
    assert await Session.objects.filter(account=cast.norma.account).acount() == 1
    await sync_to_async(sessions.close_all)(cast.norma.account)
    assert (await norma.get("/features")).status == 401
