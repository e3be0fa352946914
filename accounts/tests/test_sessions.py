"""Sessions: what ends them, how many there are of one account, and what it costs to use and to end them."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from django.contrib.auth.management.commands import changepassword
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, Session, SessionScope, Tenant
from accounts.services import accounts, members, profile, sessions, tenants
from difyproj.kernel import clock
from difyproj.kernel.errors import Unauthorized
from difyproj.testing.cast import PASSWORD, Cast, Person


def test_a_password_that_is_changed_without_the_services_ends_every_session(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = sessions.open(cast.bob.account, method="test")
    others = sessions.open(cast.alice.account, method="test")
    assert sessions.authenticate(made.access).account_id == cast.bob.account.pk
    monkeypatch.setattr(changepassword.Command, "_get_pass", lambda *_: "another battery staple")
    call_command("changepassword", cast.bob.account.email, stdout=io.StringIO())
    with pytest.raises(Unauthorized):
        sessions.authenticate(made.access)
    with pytest.raises(Unauthorized):
        sessions.renew(made.refresh)
    account = Account.objects.get(pk=cast.bob.account.pk)
    assert sessions.of(account) == []
    assert sessions.authenticate(others.access).account_id == cast.alice.account.pk
    assert sessions.authenticate(sessions.open(account, method="test").access).account_id == account.pk


def test_the_admins_own_form_for_a_new_password_ends_the_sessions(cast: Cast, client: Client) -> None:
    root = accounts.create(email="root@house.example", name="Root", password=PASSWORD, is_staff=True, is_superuser=True)
    made = sessions.open(root, method="test")
    assert sessions.authenticate(made.access).account_id == root.pk
    client.force_login(root)
    form = {"old_password": PASSWORD, "new_password1": "another battery staple", "new_password2": "another battery staple"}
    assert client.post("/admin/password_change/", form).status_code == 302
    with pytest.raises(Unauthorized):
        sessions.authenticate(made.access)


def test_a_sign_in_that_meets_a_new_password_is_over_with_it(cast: Cast) -> None:
    shown = Account.objects.get(pk=cast.bob.account.pk)
    accounts.set_password(account=cast.bob.account, password="another battery staple")
    with pytest.raises(Unauthorized):
        sessions.authenticate(sessions.open(shown, method="password").access)


def test_the_oldest_of_too_many_sessions_end(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    others = sessions.open(cast.alice.account, method="test")
    made = [sessions.open(cast.bob.account, method="test") for _ in range(5)]
    assert {row.pk for row in sessions.of(cast.bob.account)} == {tokens.session_id for tokens in made[2:]}
    for tokens in made[:2]:
        with pytest.raises(Unauthorized):
            sessions.authenticate(tokens.access)
    assert sessions.authenticate(others.access)


def test_many_sessions_end_with_one_invalidation(cast: Cast) -> None:
    def cost_of(many: int) -> int:
        made = [sessions.open(cast.bob.account, method="test") for _ in range(many)]
        assert [sessions.authenticate(tokens.access) for tokens in made]
        with CaptureQueriesContext(connection) as asked:
            assert sessions.close_all(cast.bob.account) == many
        for tokens in made:
            with pytest.raises(Unauthorized):
                sessions.authenticate(tokens.access)
        return len([query for query in asked if "infra_auditentry" not in query["sql"]])

    cost_of(2)
    assert cost_of(12) == cost_of(2)


def _statements(*people: Person) -> int:
    """What it costs to learn who these people are and where they work."""
    with CaptureQueriesContext(connection) as asked:
        for person in people:
            members.current(person.account.pk)
            members.is_member(person.account.pk, person.tenant.pk)
    return len(asked)


def test_an_edit_of_a_profile_makes_nobody_else_forgotten(cast: Cast) -> None:
    tokens = [sessions.open(person.account, method="test") for person in (cast.alice, cast.eve)]
    assert [sessions.authenticate(one.access) for one in tokens] and _statements(cast.alice, cast.eve)
    profile.set_timezone(cast.alice.account, "Asia/Shanghai")
    with CaptureQueriesContext(connection) as asked:
        assert [sessions.authenticate(one.access) for one in tokens]
    assert (len(asked), _statements(cast.eve), _statements(cast.alice)) == (0, 0, 1)
    assert members.current(cast.alice.account.pk).account.timezone == "Asia/Shanghai"


def test_a_new_role_is_known_at_once_and_only_that_member_is_forgotten(cast: Cast) -> None:
    assert _statements(cast.alice, cast.bob, cast.eve)
    tenants.change_role(membership=cast.bob.membership, role="admin")
    assert _statements(cast.alice, cast.eve) == 0
    assert members.current(cast.bob.account.pk).role == "admin"
    tenants.remove_member(membership=cast.bob.membership)
    assert not members.is_member(cast.bob.account.pk, cast.bob.tenant.pk)


def test_an_archived_or_deleted_workspace_is_known_at_once(cast: Cast) -> None:
    assert _statements(cast.alice, cast.bob)
    tenant = Tenant.objects.get(pk=cast.alice.tenant.pk)
    tenant.status = "archived"
    tenant.save()
    for person in (cast.alice, cast.bob):
        with pytest.raises(members.NoTenant):
            members.current(person.account.pk)
    tenant.delete()
    for person in (cast.alice, cast.bob):
        assert not members.is_member(person.account.pk, person.tenant.pk)
        with pytest.raises(members.NoTenant):
            members.chosen(person.account.pk)


def test_a_suspended_accounts_access_token_is_refused_in_every_cache(cast: Cast) -> None:
    made = sessions.open(cast.bob.account, method="test")
    assert sessions.authenticate(made.access)
    row = Account.objects.get(pk=cast.bob.account.pk)
    row.status = "banned"
    row.save(update_fields=["status"])
    with pytest.raises(Unauthorized):
        sessions.authenticate(made.access)


def test_the_use_of_a_session_is_noted_once_a_minute_and_costs_nothing_in_between(cast: Cast) -> None:
    made = sessions.open(cast.bob.account, method="test")
    long_ago = clock.now() - timedelta(hours=1)
    rows = Session.objects.filter(pk=made.session_id)
    rows.update(last_used_at=long_ago)
    assert sessions.authenticate(made.access)
    assert rows.filter(last_used_at__gt=long_ago).exists()
    rows.update(last_used_at=long_ago)
    with CaptureQueriesContext(connection) as asked:
        assert sessions.authenticate(made.access)
    assert (len(asked), rows.get().last_used_at) == (0, long_ago)


def test_what_is_refused_is_no_use_of_a_session(cast: Cast) -> None:
    made = sessions.open(cast.bob.account, method="test")
    long_ago = clock.now() - timedelta(hours=1)
    Session.objects.update(last_used_at=long_ago)
    with pytest.raises(Unauthorized):
        sessions.authenticate(made.access, scope=SessionScope.WEB_APP)
    assert Session.objects.get().last_used_at == long_ago
