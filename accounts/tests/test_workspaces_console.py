"""Workspaces and members over the Console API: who sees them, who changes them, and who loses what at once."""

from __future__ import annotations

from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from accounts.models import Account, Membership, Session, Tenant
from accounts.services import tenants
from apps.models import App
from difyproj.testing.browser import Browser
from difyproj.testing.cast import PASSWORD, Cast, Person
from difyproj.testing.console import TierClient, signed_in
from difyproj.testing.mailbox import code_for, letters_to
from difyproj.testing.served import Answer, Served

MEMBERS = "/workspaces/current/members"
CODE_FOR, LETTERS_TO = sync_to_async(code_for), sync_to_async(letters_to)


@pytest.fixture
async def client(house: Served, alice: Person) -> TierClient:
    return await signed_in(house, alice)


@pytest.fixture
async def bobs(house: Served, bob: Person) -> TierClient:
    return await signed_in(house, bob)


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


async def role_of(person: Person) -> str:
    return (await Membership.objects.aget(account=person.account, tenant=person.tenant)).role


async def test_the_current_workspace_is_told_by_both_methods(client: TierClient, alice: Person) -> None:
    told = (await client.post("/workspaces/current")).json()
    assert told == (await client.get("/workspaces/current")).json()
    assert told == {
        "id": str(alice.tenant.pk),
        "name": "Acme",
        "plan": "sandbox",
        "status": "normal",
        "created_at": int(alice.tenant.created_at.timestamp()),
        "role": "owner",
        "in_trial": False,
        "trial_end_reason": None,
        "custom_config": {"remove_webapp_brand": False, "replace_webapp_logo": None},
    }


async def test_a_member_of_two_workspaces_switches_between_them(client: TierClient, cast: Cast) -> None:
    await sync_to_async(tenants.add_member)(tenant=cast.eve.tenant, account=cast.alice.account, role="normal")
    listed = (await client.get("/workspaces")).json()["workspaces"]
    assert [(row["name"], row["current"]) for row in listed] == [("Acme", True), ("Evil Corp", False)]
    assert set(listed[0]) == {"id", "name", "plan", "status", "created_at", "current"}
    answer = await client.post("/workspaces/switch", {"tenant_id": str(cast.eve.tenant.pk)})
    assert answer.json()["result"] == "success"
    assert (answer.json()["new_tenant"]["name"], answer.json()["new_tenant"]["role"]) == ("Evil Corp", "normal")
    assert (await client.get("/workspaces/current")).json()["name"] == "Evil Corp"
    row = await Membership.objects.aget(account=cast.alice.account, current=True)
    assert (row.tenant_id, row.last_opened_at is not None) == (cast.eve.tenant.pk, True)
    assert refusal(await client.post(f"{MEMBERS}/invite-email", {"emails": ["a@b.example"], "role": "normal"})) == (
        403,
        "forbidden",
    )


@pytest.mark.parametrize("tenant_id", ["nonsense", "00000000-0000-4000-8000-000000000000", "eve's"])
async def test_nobody_switches_to_a_workspace_of_others(client: TierClient, eve: Person, tenant_id: str) -> None:
    wanted = str(eve.tenant.pk) if tenant_id == "eve's" else tenant_id
    assert refusal(await client.post("/workspaces/switch", {"tenant_id": wanted})) == (403, "account_not_link_tenant")
    assert (await client.get("/workspaces/current")).json()["name"] == "Acme"


async def test_an_archived_workspace_is_gone_for_its_members(client: TierClient, alice: Person) -> None:
    tenant = await Tenant.objects.aget(pk=alice.tenant.pk)
    tenant.status = "archived"
    await tenant.asave()
    assert (await client.get("/workspaces")).json() == {"workspaces": []}
    for path in ("/workspaces/current", "/account/profile", "/apps"):
        assert refusal(await client.get(path)) == (403, "account_not_link_tenant")
    assert refusal(await Browser(client.house).sign_in(alice.account.email, PASSWORD)) == (403, "account_not_link_tenant")


async def test_whose_workspace_is_archived_works_in_another_one_only_by_choice(house: Served, cast: Cast) -> None:
    await sync_to_async(tenants.add_member)(tenant=cast.eve.tenant, account=cast.bob.account, role="admin")
    bobs = await signed_in(house, cast.bob)
    assert (await bobs.get("/workspaces/current")).json()["name"] == "Acme"
    tenant = await Tenant.objects.aget(pk=cast.alice.tenant.pk)
    tenant.status = "archived"
    await tenant.asave()
    assert refusal(await bobs.get("/workspaces/current")) == (403, "account_not_link_tenant")
    assert refusal(await bobs.post("/apps", {"name": "For Acme", "mode": "chat"})) == (403, "account_not_link_tenant")
    assert not await App.objects.filter(name="For Acme").aexists()
    listed = (await bobs.get("/workspaces")).json()["workspaces"]
    assert [(row["name"], row["current"]) for row in listed] == [("Evil Corp", False)]
    archived = await bobs.post("/workspaces/switch", {"tenant_id": str(tenant.pk)})
    assert refusal(archived) == (403, "account_not_link_tenant")
    again = Browser(house)
    assert (await again.sign_in(cast.bob.account.email, PASSWORD)).status == 200
    assert refusal(await again.get("/workspaces/current")) == (403, "account_not_link_tenant")
    assert (await bobs.post("/workspaces/switch", {"tenant_id": str(cast.eve.tenant.pk)})).status == 200
    assert (await bobs.get("/workspaces/current")).json()["name"] == "Evil Corp"


async def test_a_workspace_is_opened_only_where_the_operator_allows_it(
    client: TierClient, alice: Person, settings: Settings
) -> None:
    assert refusal(await client.post("/workspaces", {"name": "Second"})) == (400, "not_allowed_create_workspace")
    settings.ALLOW_CREATE_WORKSPACE = True
    answer = await client.post("/workspaces", {"name": " Second ", "plan": "enterprise", "id": str(uuid4())})
    assert (answer.status, answer.json()["tenant"]["name"], answer.json()["tenant"]["role"]) == (201, "Second", "owner")
    tenant = await Tenant.objects.aget(name="Second")
    assert tenant.plan == "sandbox"
    assert (await Membership.objects.aget(account=alice.account, current=True)).tenant_id == tenant.pk


async def test_owner_and_admin_rename_and_nobody_else(client: TierClient, bobs: TierClient, alice: Person) -> None:
    assert refusal(await bobs.post("/workspaces/info", {"name": "Bobland"})) == (403, "forbidden")
    answer = (await client.post("/workspaces/info", {"name": "Acme & Sons", "plan": "enterprise"})).json()
    assert (answer["result"], answer["tenant"]["name"], answer["tenant"]["plan"]) == ("success", "Acme & Sons", "sandbox")
    assert (await Tenant.objects.aget(pk=alice.tenant.pk)).name == "Acme & Sons"
    for name in ("", " ", "x" * 101):
        assert (await client.post("/workspaces/info", {"name": name})).status == 400


async def test_branding_is_off(client: TierClient) -> None:
    assert refusal(await client.post("/workspaces/custom-config", {"remove_webapp_brand": True})) == (403, "forbidden")
    assert refusal(await client.post("/workspaces/custom-config/webapp-logo/upload")) == (403, "forbidden")


async def test_what_a_role_may_is_told(client: TierClient, bobs: TierClient, alice: Person) -> None:
    mine = (await client.get("/workspaces/current/permission")).json()
    assert mine == {"workspace_id": str(alice.tenant.pk), "allow_member_invite": True, "allow_owner_transfer": True}
    bob = (await bobs.get("/workspaces/current/permission")).json()
    assert (bob["allow_member_invite"], bob["allow_owner_transfer"]) == (False, False)


async def test_members_are_listed_in_the_contracts_fields(bobs: TierClient, cast: Cast) -> None:
    listed = (await bobs.get(MEMBERS)).json()["accounts"]
    assert [(row["name"], row["role"], row["status"]) for row in listed] == [
        ("Alice", "owner", "active"),
        ("Bob", "editor", "active"),
        ("Norma", "normal", "active"),
    ]
    assert set(listed[0]) >= {
        "id", "name", "avatar", "email", "last_login_at", "last_active_at", "created_at", "role", "roles", "status",
    }  # fmt: skip
    assert (await bobs.get("/workspaces/current/dataset-operators")).json() == {"accounts": []}


async def test_people_are_invited_and_each_address_has_its_result(client: TierClient, alice: Person) -> None:
    emails = ["new@acme.example", "no address", "bob@acme.example"]
    answer = await client.post(f"{MEMBERS}/invite-email", {"emails": emails, "role": "editor", "language": "en-US"})
    body = answer.json()
    assert (answer.status, body["result"], body["tenant_id"]) == (201, "success", str(alice.tenant.pk))
    assert [(row["email"], row["status"]) for row in body["invitation_results"]] == [
        ("new@acme.example", "success"),
        ("no address", "failed"),
        ("bob@acme.example", "success"),
    ]
    assert "token=" in body["invitation_results"][0]["url"]
    assert "url" not in body["invitation_results"][1]
    row = await Membership.objects.select_related("account").aget(account__email="new@acme.example")
    assert (row.role, row.tenant_id, row.account.status, row.invited_by_id) == (
        "editor",
        alice.tenant.pk,
        "pending",
        alice.account.pk,
    )
    assert len(await LETTERS_TO("new@acme.example")) == 1


async def test_an_address_gets_few_letters_however_it_is_written_and_whoever_invites(
    client: TierClient, house: Served, eve: Person, settings: Settings
) -> None:
    settings.EMAIL_SEND_RATE = "2/h"
    email = f"{uuid4()}@acme.example"
    body = {"emails": [email.title(), email, f" {email}", "last@acme.example", email.upper()], "role": "normal"}
    results = [
        (await caller.post(f"{MEMBERS}/invite-email", {**body, "emails": body["emails"][:3]})).json()["invitation_results"]
        for caller in (client, await signed_in(house, eve), client)
    ]
    assert [[row["status"] for row in each] for each in results] == [["success"], ["success"], ["failed"]]
    assert "Too many" in results[2][0]["message"]
    assert len(await LETTERS_TO(email)) == 2
    settings.EMAIL_SEND_RATE = ""
    answer = await client.post(f"{MEMBERS}/invite-email", body)
    assert [row["email"] for row in answer.json()["invitation_results"]] == [email.title(), "last@acme.example"]


@pytest.mark.parametrize("role", ["owner", "superuser", ""])
async def test_nobody_is_invited_or_made_what_there_is_not(client: TierClient, bob: Person, role: str) -> None:
    invited = await client.post(f"{MEMBERS}/invite-email", {"emails": ["new@acme.example"], "role": role})
    changed = await client.put(f"{MEMBERS}/{bob.account.pk}/update-role", {"role": role})
    assert {invited.status, changed.status} == {400}
    assert await role_of(bob) == "editor"
    assert not await Account.objects.filter(email="new@acme.example").aexists()


async def test_a_new_role_holds_at_once_and_a_lesser_one_ends_all_sessions(
    client: TierClient, bobs: TierClient, bob: Person
) -> None:
    assert (await client.put(f"{MEMBERS}/{bob.account.pk}/update-role", {"role": "admin"})).json() == {"result": "success"}
    assert (await bobs.get("/workspaces/current")).json()["role"] == "admin"
    assert (await client.put(f"{MEMBERS}/{bob.account.pk}/update-role", {"role": "normal"})).status == 200
    assert await role_of(bob) == "normal"
    assert (await bobs.get("/workspaces/current")).status == 401
    assert not await Session.objects.filter(account=bob.account).aexists()


async def test_a_removed_member_is_out_at_once(client: TierClient, bobs: TierClient, cast: Cast) -> None:
    answer = await client.delete(f"{MEMBERS}/{cast.bob.account.pk}")
    assert (answer.status, answer.json()) == (200, {"result": "success", "tenant_id": str(cast.alice.tenant.pk)})
    assert (await bobs.get("/workspaces/current")).status == 401
    assert not await Membership.objects.filter(account=cast.bob.account).aexists()
    again = await client.delete(f"{MEMBERS}/{cast.bob.account.pk}")
    assert refusal(again) == (404, "member-not-found")


async def test_an_admin_manages_members_but_neither_admins_nor_the_owner(house: Served, cast: Cast) -> None:
    for person in (cast.bob, cast.norma):
        await sync_to_async(tenants.change_role)(membership=person.membership, role="admin")
    bobs = await signed_in(house, cast.bob)
    for other in (cast.norma, cast.alice):
        assert refusal(await bobs.delete(f"{MEMBERS}/{other.account.pk}")) == (403, "forbidden")
        assert refusal(await bobs.put(f"{MEMBERS}/{other.account.pk}/update-role", {"role": "normal"})) == (403, "forbidden")
    own = f"{MEMBERS}/{cast.bob.account.pk}"
    assert refusal(await bobs.delete(own)) == (400, "cannot-operate-self")
    assert refusal(await bobs.put(f"{own}/update-role", {"role": "normal"})) == (400, "cannot-operate-self")
    assert (await bobs.post(f"{MEMBERS}/invite-email", {"emails": ["a@b.example"], "role": "normal"})).status == 201


async def test_neither_a_stranger_nor_an_editor_touches_members(house: Served, bobs: TierClient, cast: Cast) -> None:
    evil = await signed_in(house, cast.eve)
    target = f"{MEMBERS}/{cast.norma.account.pk}"
    assert refusal(await evil.delete(target)) == (404, "member-not-found")
    assert refusal(await evil.put(f"{target}/update-role", {"role": "admin"})) == (404, "member-not-found")
    assert refusal(await bobs.delete(target)) == (403, "forbidden")
    assert refusal(await bobs.put(f"{target}/update-role", {"role": "admin"})) == (403, "forbidden")
    assert refusal(await bobs.post(f"{MEMBERS}/invite-email", {"emails": ["a@b.example"], "role": "normal"})) == (
        403,
        "forbidden",
    )
    assert await role_of(cast.norma) == "normal"
    assert [row["name"] for row in (await evil.get(MEMBERS)).json()["accounts"]] == ["Eve"]


async def _proof(client: TierClient) -> str:
    sent = (await client.post(f"{MEMBERS}/send-owner-transfer-confirm-email", {"language": "en-US"})).json()
    body = {"code": await CODE_FOR("alice@acme.example"), "token": sent["data"]}
    checked = (await client.post(f"{MEMBERS}/owner-transfer-check", body)).json()
    assert (checked["is_valid"], checked["email"]) == (True, "alice@acme.example")
    return str(checked["token"])


async def test_the_owner_hands_over_in_three_steps(client: TierClient, bobs: TierClient, cast: Cast) -> None:
    token = await _proof(client)
    answer = await client.post(f"{MEMBERS}/{cast.bob.account.pk}/owner-transfer", {"token": token})
    assert answer.json() == {"result": "success"}
    assert (await role_of(cast.bob), await role_of(cast.alice)) == ("owner", "admin")
    assert (await bobs.get("/workspaces/current")).json()["role"] == "owner"
    for address in ("alice@acme.example", "bob@acme.example"):
        assert "bob@acme.example" in str((await LETTERS_TO(address))[-1].body)
    assert refusal(await client.post(f"{MEMBERS}/{cast.norma.account.pk}/owner-transfer", {"token": token})) == (
        400,
        "not_owner",
    )


async def test_nobody_but_the_owner_hands_over_and_only_to_another_member(
    client: TierClient, bobs: TierClient, house: Served, cast: Cast
) -> None:
    assert refusal(await bobs.post(f"{MEMBERS}/send-owner-transfer-confirm-email")) == (400, "not_owner")
    token = await _proof(client)
    transfer = {
        cast.alice.account.pk: "cannot_transfer_owner_to_self",
        cast.eve.account.pk: "member_not_in_tenant",
        "nonsense": "member_not_in_tenant",
    }
    for member_id, code in transfer.items():
        assert refusal(await client.post(f"{MEMBERS}/{member_id}/owner-transfer", {"token": token})) == (400, code)
    evil = await signed_in(house, cast.eve)
    await sync_to_async(tenants.add_member)(tenant=cast.eve.tenant, account=cast.bob.account, role="normal")
    stolen = await evil.post(f"{MEMBERS}/{cast.bob.account.pk}/owner-transfer", {"token": token})
    assert refusal(stolen) == (400, "invalid_or_expired_token")
    unproven = await client.post(f"{MEMBERS}/{cast.bob.account.pk}/owner-transfer", {"token": "x"})
    assert refusal(unproven) == (400, "invalid_or_expired_token")
    assert await role_of(cast.alice) == "owner"
