"""Sessions: what ends them, how many there are of one account, and what it costs to use and to end them."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.management.commands import changepassword
from django.core.management import call_command
from django.test import Client

from accounts.models import Account
from accounts.services import accounts, sessions
from difyproj.kernel.errors import Unauthorized
from difyproj.testing.cast import PASSWORD, Cast


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
