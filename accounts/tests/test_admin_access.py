"""The admin of how people get in: lists without secrets, sessions ended, factors taken away; its changes sign people out."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Challenge, Membership, ModelSetting, Purpose, Session, Tag, TagBinding
from accounts.services import accounts, challenges, second_factor, sessions
from difyproj.kernel import clock, ids
from difyproj.testing.cast import PASSWORD, Cast

MOST_QUERIES = 15
PAGES: dict[str, type[Model]] = {
    "accounts/session": Session,
    "accounts/challenge": Challenge,
    "accounts/tag": Tag,
    "accounts/tagbinding": TagBinding,
    "accounts/modelsetting": ModelSetting,
    "mfa/authenticator": Authenticator,
    "socialaccount/socialaccount": SocialAccount,
}


@pytest.fixture
def root(cast: Cast, client: Client) -> Client:
    client.force_login(accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def secrets(cast: Cast) -> list[str]:
    """Rows of every kind, and what of them nobody may see."""
    account, tenant = cast.bob.account, cast.bob.tenant
    tokens = sessions.open(account, method="password", ip="192.0.2.7", agent="Netscape")
    issued = challenges.create(Purpose.LOGIN, email=account.email, account=account)
    setup = second_factor.begin(account)
    code = second_factor.code_at(setup.secret, clock.epoch(clock.now()) // second_factor.STEP)
    papers = second_factor.confirm(account, token=setup.token, code=code, password=PASSWORD)
    SocialAccount.objects.create(user=account, provider="oidc", uid="bob", extra_data={"hidden": "claim-of-bob"})
    tag = Tag.objects.create(tenant=tenant, type="app", name="Support")
    TagBinding.objects.create(tenant=tenant, tag=tag, target_id=ids.new_id())
    ModelSetting.objects.create(tenant=tenant, provider="openai", model_type="llm", model="gpt-4o")
    kept = Authenticator.objects.get(type="totp").data[second_factor.SEALED]
    hashes = [Session.objects.get().refresh_hash, issued.row.code_hash, issued.row.token_hash]
    return [tokens.access, tokens.refresh, issued.token, setup.secret, papers[0], kept, "claim-of-bob", *hashes]


@pytest.mark.parametrize("page", PAGES)
def test_lists_and_rows_load_and_tell_no_secret(root: Client, secrets: list[str], page: str) -> None:
    row = PAGES[page]._default_manager.first()
    assert row is not None
    for path in ("", "?q=b", f"{row.pk}/change/"):
        with CaptureQueriesContext(connection) as asked:
            answer = root.get(f"/admin/{page}/{path}")
        assert answer.status_code == 200, path
        assert len(asked) <= MOST_QUERIES
        shown = answer.content.decode()
        assert not [secret for secret in secrets if secret in shown]
    assert root.get(f"/admin/{page}/add/").status_code == 403


def test_allauths_own_pages_are_not_there() -> None:
    shown = {model._meta.label for model in admin.site._registry}
    assert not shown & {"account.EmailAddress", "socialaccount.SocialApp", "socialaccount.SocialToken"}


def test_chosen_sessions_end(root: Client, cast: Cast) -> None:
    kept, ended = (sessions.open(person.account, method="test") for person in (cast.alice, cast.bob))
    form = {"action": "revoke", "_selected_action": [str(ended.session_id)]}
    root.post("/admin/accounts/session/", form)
    assert list(Session.objects.values_list("pk", flat=True)) == [kept.session_id]
    root.post(f"/admin/accounts/session/{kept.session_id}/delete/", {"post": "yes"})
    assert not Session.objects.exists()


def test_staff_without_the_permission_ends_no_session(cast: Cast, client: Client) -> None:
    staff = accounts.create(email="staff@house.example", name="Staff", is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename="view_session"))
    client.force_login(staff)
    open_one = sessions.open(cast.alice.account, method="test")
    client.post("/admin/accounts/session/", {"action": "revoke", "_selected_action": [str(open_one.session_id)]})
    assert client.post(f"/admin/accounts/session/{open_one.session_id}/delete/", {"post": "yes"}).status_code == 403
    assert Session.objects.filter(pk=open_one.session_id).exists()


def test_staff_lays_no_hand_on_what_is_a_superusers(cast: Cast, client: Client) -> None:
    staff = accounts.create(email="staff@house.example", name="Staff", is_staff=True)
    boss = accounts.create(email="boss@house.example", name="Boss", is_staff=True, is_superuser=True)
    kinds = ("session", "authenticator", "socialaccount")
    named = [f"{power}_{kind}" for kind in kinds for power in ("view", "delete")]
    staff.user_permissions.set(Permission.objects.filter(codename__in=named))
    client.force_login(staff)
    for owner, left in ((boss, 1), (cast.bob.account, 0)):
        rows = {
            "accounts/session": Session.objects.get(pk=sessions.open(owner, method="test").session_id),
            "mfa/authenticator": Authenticator.objects.create(user=owner, type="totp", data={}),
            "socialaccount/socialaccount": SocialAccount.objects.create(user=owner, provider="oidc", uid=owner.email),
        }
        for page, row in rows.items():
            for action in ("revoke", "delete_selected"):
                client.post(f"/admin/{page}/", {"action": action, "_selected_action": [str(row.pk)], "post": "yes"})
            client.post(f"/admin/{page}/{row.pk}/delete/", {"post": "yes"})
            assert type(row)._default_manager.filter(pk=row.pk).count() == left, (page, owner)


def test_a_lost_second_factor_is_taken_away_as_a_whole(root: Client, cast: Cast, secrets: list[str]) -> None:
    row = Authenticator.objects.get(type="totp")
    root.post(f"/admin/mfa/authenticator/{row.pk}/delete/", {"post": "yes"})
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize(
    "change", [{"status": "banned"}, {"email": "robert@acme.example"}, {"new_password": "another battery staple"}]
)
def test_a_suspension_a_new_address_and_a_new_password_end_all_sessions(
    root: Client, cast: Cast, change: dict[str, str]
) -> None:
    bob = cast.bob.account
    sessions.open(bob, method="test")
    form = {
        "email": bob.email, "name": "Bob", "status": "active", "new_password": "", "interface_language": "en-US",
        "interface_theme": "light", "timezone": "UTC",
    }  # fmt: skip
    root.post(f"/admin/accounts/account/{bob.pk}/change/", {**form, "name": "Bobby"})
    assert Session.objects.filter(account=bob).exists()
    root.post(f"/admin/accounts/account/{bob.pk}/change/", {**form, **change})
    assert not Session.objects.filter(account=bob).exists()
    bob = Account.objects.get(pk=bob.pk)
    assert all(getattr(bob, name) == value for name, value in change.items() if name != "new_password")


@pytest.mark.parametrize("how", ["demoted", "removed"])
def test_a_member_who_is_demoted_or_removed_is_signed_out(root: Client, cast: Cast, how: str) -> None:
    sessions.open(cast.bob.account, method="test")
    page = f"/admin/accounts/membership/{cast.bob.membership.pk}"
    if how == "demoted":
        root.post(f"{page}/change/", {"role": "normal"})
        assert Membership.objects.get(pk=cast.bob.membership.pk).role == "normal"
    else:
        root.post(f"{page}/delete/", {"post": "yes"})
        assert not Membership.objects.filter(pk=cast.bob.membership.pk).exists()
    assert not Session.objects.filter(account=cast.bob.account).exists()
