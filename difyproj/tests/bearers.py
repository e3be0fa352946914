"""Credentials of every kind, by what they are: each is good at one door and must open no other."""

from __future__ import annotations

from django.test import override_settings

from accounts.models import SessionScope
from accounts.services import sessions
from apps.models.token import TokenKind
from apps.services import passports, sites, tokens
from difyproj.testing.cast import Person
from difyproj.testing.served import Key

APP_KEY, DATASET_KEY, PASSPORT = "an app's key", "a key for datasets", "a passport"
CONSOLE, PAGES = "a sign-in", "a sign-in to pages"


def of(person: Person, key: Key) -> dict[str, str]:
    """What opens something in the person's tenant, and what opens nothing. In a thread of the database."""
    account = person.account
    with override_settings(ACCESS_TOKEN_EXPIRE_MINUTES=-1):
        expired = sessions.open(account, method="test")
    signed_in = sessions.open(account, method="test")
    return {
        "nothing": "",
        "nonsense": "nonsense",
        APP_KEY: key.token,
        DATASET_KEY: tokens.create(tenant=person.tenant, kind=TokenKind.DATASET)[1],
        PASSPORT: passports.issue(sites.of(key.app).code, user_id="visitor-1"),
        CONSOLE: signed_in.access,
        "a refresh token": signed_in.refresh,
        "a CSRF token": signed_in.csrf,
        PAGES: sessions.open(account, method="test", scope=SessionScope.WEB_APP).access,
        "an expired sign-in": expired.access,
    }
