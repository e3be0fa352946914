"""Accounts: e-mail addresses are one per person, passwords are hashed, only active accounts sign in."""

from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import get_hasher
from django.db import IntegrityError, transaction
from pytest_django import Settings

from accounts.models import Account, AccountStatus
from accounts.services import accounts
from difyproj.kernel.errors import Conflict, InvalidParam
from difyproj.settings import base
from difyproj.testing.cast import PASSWORD, Person


def test_an_account_signs_in_with_its_email_in_any_letter_case(alice: Person) -> None:
    assert authenticate(username="ALICE@Acme.example", password=PASSWORD) == alice.account
    assert authenticate(username="alice@acme.example", password="something else") is None


@pytest.mark.parametrize("status", [status for status in AccountStatus.values if status != "active"])
def test_an_account_that_is_not_active_cannot_sign_in(alice: Person, status: str) -> None:
    Account.objects.filter(pk=alice.account.pk).update(status=status)
    assert authenticate(username=alice.account.email, password=PASSWORD) is None


def test_the_same_email_in_another_letter_case_is_refused(alice: Person) -> None:
    with pytest.raises(Conflict):
        accounts.create(email="Alice@ACME.example", name="Another Alice")
    assert Account.objects.filter(email__iexact=alice.account.email).count() == 1


def test_the_database_itself_refuses_an_email_in_capitals(alice: Person) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=alice.account.pk).update(email="ALICE@acme.example")


@pytest.mark.parametrize("email", ["", "nobody", "a@b", "x" * 300 + "@acme.example"])
def test_an_address_that_is_none_is_refused(house_db: None, email: str) -> None:
    with pytest.raises(InvalidParam) as refusal:
        accounts.create(email=email, name="Nobody")
    assert refusal.value.params == "email"
    assert not Account.objects.exists()


@pytest.mark.parametrize("password", ["short", "12345678901", "password", "x" * 2_000_000])
def test_a_weak_or_enormous_password_is_refused(alice: Person, password: str) -> None:
    with pytest.raises(InvalidParam):
        accounts.set_password(account=alice.account, password=password)
    assert authenticate(username=alice.account.email, password=PASSWORD)


def test_without_a_password_nobody_signs_in(house_db: None) -> None:
    account = accounts.create(email="new@acme.example", name="New")
    assert not account.has_usable_password()
    accounts.set_password(account=account, password=PASSWORD)
    assert authenticate(username="new@acme.example", password=PASSWORD) == account


def test_passwords_are_hashed_with_argon2_outside_tests(settings: Settings, house_db: None) -> None:
    settings.PASSWORD_HASHERS = base.PASSWORD_HASHERS
    assert get_hasher().algorithm == "argon2"
    account = accounts.create(email="new@acme.example", name="New", password=PASSWORD)
    assert account.password.startswith("argon2$argon2id$")
    assert authenticate(username="new@acme.example", password=PASSWORD) == account
