"""The admin of accounts: every page loads, writes go through the services, secrets go in and never come out."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, DefaultModel, Membership, ModelCredential, Tenant
from accounts.services import accounts, credentials, default_models
from difyproj.testing.cast import PASSWORD, Cast

MOST_QUERIES = 15
SECRET = "sk-live-0123456789abcdefghij"
PAGES: dict[str, type[Model]] = {
    "tenant": Tenant,
    "account": Account,
    "membership": Membership,
    "modelcredential": ModelCredential,
    "defaultmodel": DefaultModel,
}
INTERFACE = {"interface_language": "en-US", "interface_theme": "light", "timezone": "UTC"}


@pytest.fixture
def root(cast: Cast, client: Client) -> Client:
    client.force_login(accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def stored(cast: Cast) -> ModelCredential:
    default_models.update(tenant=cast.alice.tenant, model_type="llm", provider="openai", model="gpt-4o")
    return credentials.create(tenant=cast.alice.tenant, provider="openai", values={"openai_api_key": SECRET})


@pytest.mark.parametrize("page", PAGES)
def test_lists_searches_and_forms_load(root: Client, stored: ModelCredential, page: str) -> None:
    row = PAGES[page]._default_manager.order_by("created_at").last()
    assert row is not None
    for path in ("", "?q=a", "add/", f"{row.pk}/change/"):
        with CaptureQueriesContext(connection) as asked:
            answer = root.get(f"/admin/accounts/{page}/{path}", follow=True)
        assert answer.status_code == 200, path
        assert len(asked) <= MOST_QUERIES
        assert SECRET.encode() not in answer.content


def test_the_admin_is_for_staff_only(cast: Cast, client: Client) -> None:
    assert client.get("/admin/accounts/tenant/").status_code == 302
    client.force_login(cast.alice.account)
    assert client.get("/admin/accounts/tenant/").status_code == 302


def test_a_superuser_signs_in_by_email(root: Client, cast: Cast, client: Client) -> None:
    Account.objects.filter(pk=cast.alice.account.pk).update(is_staff=True, is_superuser=True)
    client.logout()
    answer = client.post(
        "/admin/login/", {"username": "Alice@acme.example", "password": PASSWORD, "next": "/admin/"}, follow=True
    )
    assert answer.status_code == 200
    assert client.session["_auth_user_id"] == str(cast.alice.account.pk)


def test_a_new_tenant_has_its_owner_and_key(root: Client, cast: Cast) -> None:
    root.post("/admin/accounts/tenant/add/", {"name": "New", "plan": "team", "owner": str(cast.bob.account.pk)})
    tenant = Tenant.objects.get(name="New")
    assert tenant.plan == "team" and bytes(tenant.data_key)
    assert Membership.objects.for_tenant(tenant).get().role == "owner"
    root.post(
        f"/admin/accounts/tenant/{tenant.pk}/change/",
        {"name": "Newer", "plan": "team", "status": "archived", "custom_config": "{}"},
    )
    tenant.refresh_from_db()
    assert (tenant.name, tenant.status) == ("Newer", "archived")


def test_an_account_is_made_and_gets_another_password(root: Client) -> None:
    root.post("/admin/accounts/account/add/", {"email": "Zoe@house.example", "name": "Zoe", "password": PASSWORD})
    account = Account.objects.get(email="zoe@house.example")
    assert authenticate(username=account.email, password=PASSWORD) == account
    form = {"email": account.email, "name": "Zoe", "status": "active", "new_password": "another battery staple", **INTERFACE}
    root.post(f"/admin/accounts/account/{account.pk}/change/", form)
    assert authenticate(username=account.email, password="another battery staple") == account


def test_a_weak_password_is_told_and_changes_nothing(root: Client) -> None:
    form = {"email": "zoe@house.example", "name": "Zoe", "password": "12345"}
    answer = root.post("/admin/accounts/account/add/", form, follow=True)
    assert b"too short" in answer.content
    assert not Account.objects.filter(email="zoe@house.example").exists()


def test_staff_cannot_give_itself_powers(cast: Cast, client: Client) -> None:
    staff = accounts.create(email="staff@house.example", name="Staff", is_staff=True)
    root = accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True)
    staff.user_permissions.set(permissions("change_account", "view_account"))
    client.force_login(staff)
    form = {
        "email": staff.email,
        "name": "Staff",
        "status": "active",
        "is_superuser": "on",
        "is_staff": "on",
        "new_password": "",
        **INTERFACE,
    }
    client.post(f"/admin/accounts/account/{staff.pk}/change/", form)
    assert not Account.objects.get(pk=staff.pk).is_superuser
    answer = client.post(f"/admin/accounts/account/{root.pk}/change/", {**form, "new_password": "taken over by staff"})
    assert answer.status_code == 403
    assert authenticate(username=root.email, password="taken over by staff") is None


def permissions(*names: str) -> list[int]:
    return list(Permission.objects.filter(codename__in=names).values_list("pk", flat=True))


def test_members_join_and_ownership_moves(root: Client, cast: Cast) -> None:
    form = {"tenant": str(cast.eve.tenant.pk), "account": str(cast.bob.account.pk), "role": "admin"}
    root.post("/admin/accounts/membership/add/", form)
    joined = Membership.objects.for_tenant(cast.eve.tenant).get(account=cast.bob.account)
    assert (joined.role, joined.invited_by and joined.invited_by.name) == ("admin", "Root")
    root.post("/admin/accounts/membership/", {"action": "make_owner", "_selected_action": [str(joined.pk)]})
    joined.refresh_from_db()
    cast.eve.membership.refresh_from_db()
    assert (joined.role, cast.eve.membership.role) == ("owner", "admin")
    root.post(f"/admin/accounts/membership/{cast.eve.membership.pk}/change/", {"role": "normal"})
    cast.eve.membership.refresh_from_db()
    assert cast.eve.membership.role == "normal"
    assert root.post(f"/admin/accounts/membership/{joined.pk}/change/", {"role": "normal"}).status_code == 403


def test_what_a_service_refuses_of_a_list_is_told_on_it(root: Client, cast: Cast) -> None:
    accounts.set_status(account=cast.bob.account, status="banned")
    form = {"action": "make_owner", "_selected_action": [str(cast.bob.membership.pk)]}
    answer = root.post("/admin/accounts/membership/", form, follow=True)
    assert (answer.status_code, b"must be able to sign in" in answer.content) == (200, True)
    assert Membership.objects.get(pk=cast.bob.membership.pk).role == "editor"


def test_a_credential_goes_in_and_is_only_seen_masked(root: Client, cast: Cast) -> None:
    form = {"tenant": str(cast.alice.tenant.pk), "provider": "openai", "name": "default", "model_type": "", "model": ""}
    answer = root.post("/admin/accounts/modelcredential/add/", {**form, "secrets": SECRET}, follow=True)
    assert SECRET.encode() not in answer.content
    assert b"JSON object" in answer.content
    secrets = f'{{"openai_api_key": "{SECRET}"}}'
    root.post("/admin/accounts/modelcredential/add/", {**form, "secrets": secrets})
    row = ModelCredential.objects.get()
    assert credentials.get_values(row) == {"openai_api_key": SECRET}
    change = f"/admin/accounts/modelcredential/{row.pk}/change/"
    page = root.get(change).content.decode()
    assert SECRET not in page
    assert credentials.masked(row)["openai_api_key"] in page
    root.post(change, {"name": "renamed", "enabled": "", "secrets": ""})
    row.refresh_from_db()
    assert (row.name, row.enabled, credentials.get_values(row)) == ("renamed", False, {"openai_api_key": SECRET})
    history = root.get(f"/admin/accounts/modelcredential/{row.pk}/history/")
    assert SECRET.encode() not in history.content
    root.post(f"/admin/accounts/modelcredential/{row.pk}/delete/", {"post": "yes"})
    assert not ModelCredential.objects.exists()


def test_a_default_model_is_chosen_and_changed(root: Client, cast: Cast) -> None:
    form = {"tenant": str(cast.alice.tenant.pk), "model_type": "llm", "provider": "openai", "model": "gpt-4o"}
    root.post("/admin/accounts/defaultmodel/add/", form)
    row = DefaultModel.objects.get()
    root.post(f"/admin/accounts/defaultmodel/{row.pk}/change/", {"provider": "demo", "model": "demo-chat"})
    row.refresh_from_db()
    assert (row.provider, row.model) == ("demo", "demo-chat")
