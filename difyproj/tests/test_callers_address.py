"""Whom the server takes for the caller: only proxies that the operator named may say, and only addresses count."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from pytest_django import Settings

from accounts.models import Session
from apps.management.commands.serve import config_of
from difyproj.testing.cast import PASSWORD
from difyproj.testing.served import Served
from difyproj.tiers import access_log, pages

WRITTEN = [
    ("192.0.2.7", "192.0.2.7"),
    ("2001:DB8::1", "2001:db8::1"),
    ("::ffff:192.0.2.7", "192.0.2.7"),
    ("fe80::1%eth0", "fe80::1"),
    ("not-an-ip", None),
    ("x" * 300, None),
    ("", None),
    ("\0", None),
]


@pytest.mark.parametrize(("given", "taken"), WRITTEN)
def test_what_is_no_address_is_nobodys(given: str, taken: str | None) -> None:
    assert access_log.address_of({"client": (given, 1)}) == taken
    assert access_log.address_of({"client": None}) is None


@pytest.mark.parametrize(("given", "taken"), WRITTEN)
def test_pages_see_an_address_or_none(given: str, taken: str | None) -> None:
    request = HttpRequest()
    request.method = "GET"
    request.META["REMOTE_ADDR"] = given
    pages.name_the_actor(lambda _: HttpResponse())(request)
    assert request.META["REMOTE_ADDR"] == (taken or "")


@pytest.mark.parametrize(("said", "noted"), [("not-an-ip", None), ("fe80::1%eth0", "fe80::1"), ("192.0.2.9", "192.0.2.9")])
async def test_a_proxy_that_says_nonsense_breaks_no_sign_in(house: Served, said: str, noted: str | None) -> None:
    body = {"email": house.cast.alice.account.email, "password": PASSWORD}
    headers = {"Authorization": "", "X-Forwarded-For": said}
    answer = await house.call("POST", "/console/api/login", json=body, headers=headers)
    assert answer.status == 200, answer.body
    assert (await Session.objects.aget()).ip == noted


async def seen(forwarded: list[str], settings: Settings) -> str:
    """The caller's address in the eyes of what ``serve`` starts, for a proxy on this machine."""
    settings.FORWARDED_ALLOW_IPS = forwarded
    config = config_of("127.0.0.1", 0, 1)
    found: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["client"][0])

    config.app = application
    await sync_to_async(config.load)()
    headers = [(b"x-forwarded-for", b"198.51.100.4")]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "client": ("127.0.0.1", 5), "headers": headers}
    await config.loaded_app(scope, None, None)
    return str(found[0])


async def test_only_a_proxy_that_the_operator_named_says_who_calls(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    assert await seen([], settings) == "127.0.0.1"
    assert await seen(["10.0.0.0/8"], settings) == "127.0.0.1"
    assert await seen(["127.0.0.1"], settings) == "198.51.100.4"
