"""Invitations: the letter's link opens the account, the inviter's link proves nothing, and no link opens another's account."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from asgiref.sync import sync_to_async
from django.core import mail

from accounts.models import Account, AccountStatus, Challenge, Membership, Session
from accounts.services import accounts, invitations, letters, tenants
from accounts.services.refusals import AlreadyActivated
from difyproj.kernel.errors import InvalidParam
from difyproj.testing.browser import Browser
from difyproj.testing.cast import PASSWORD, Cast, Person
from difyproj.testing.mailbox import letters_to, link_for

NEW = "new@acme.example"
LINK = sync_to_async(link_for)
DETAILS = {"name": "Newcomer", "interface_language": "zh-Hans", "timezone": "Asia/Shanghai"}


@pytest.fixture
def no_mail(settings: Any) -> None:
    """Letters only appear in the operator's log."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"


def query_of(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    assert parts.path == "/activate"
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


def invite(by: Person, email: str = NEW, role: str = "editor") -> dict[str, str]:
    """The query of the inviter's link."""
    return query_of(invitations.invite(tenant=by.tenant, email=email, role=role, invited_by=by.account))


INVITE = sync_to_async(invite)


async def test_the_letters_link_opens_the_account_and_signs_in(browser: Browser, alice: Person) -> None:
    await INVITE(alice)
    row = await Membership.objects.select_related("account").aget(account__email=NEW)
    assert (row.tenant_id, row.role, row.account.status) == (alice.tenant.pk, "editor", "pending")
    mailed = query_of(await LINK(NEW))
    assert mailed["email"] == NEW
    checked = (await browser.get("/activate/check", **mailed)).json()
    assert checked == {
        "is_valid": True,
        "data": {"workspace_name": "Acme", "workspace_id": str(alice.tenant.pk), "email": NEW},
    }
    answer = await browser.post("/activate", {**mailed, **DETAILS, "password": PASSWORD})
    assert answer.json()["data"]["access_token"] == browser.cookies["access_token"]
    assert (await browser.get("/features")).status == 200
    account = await Account.objects.aget(email=NEW)
    assert (account.status, account.name, account.timezone) == ("active", "Newcomer", "Asia/Shanghai")
    assert account.initialized_at
    assert (await Browser(browser.house).sign_in(NEW, PASSWORD)).status == 200
    again = await browser.post("/activate", {**mailed, **DETAILS})
    assert (again.status, again.json()["code"]) == (403, "already_activate")
    assert (await browser.get("/activate/check", **mailed)).json() == {"is_valid": False}


async def test_the_inviters_link_opens_the_account_but_proves_nothing(browser: Browser, alice: Person) -> None:
    shown = await INVITE(alice)
    refused = await browser.post("/activate", {**shown, **DETAILS, "password": PASSWORD})
    assert (refused.status, refused.json()["code"]) == (403, "already_activate")
    assert (await browser.post("/login", {"email": NEW, "password": PASSWORD, "invite_token": shown["token"]})).status == 401
    answer = await browser.post("/activate", {**shown, **DETAILS})
    assert (answer.status, answer.json()) == (200, {"result": "success"})
    assert not browser.cookies and not await Session.objects.aexists()
    account = await Account.objects.aget(email=NEW)
    assert account.status == AccountStatus.ACTIVE and not account.has_usable_password()


@pytest.mark.usefixtures("no_mail")
async def test_where_no_mail_is_sent_the_inviters_link_is_believed(browser: Browser, alice: Person) -> None:
    shown = await INVITE(alice)
    answer = await browser.post("/login", {"email": NEW, "password": PASSWORD, "invite_token": shown["token"]})
    assert answer.status == 200
    assert (await Account.objects.aget(email=NEW)).status == AccountStatus.ACTIVE
    other = await INVITE(alice, "second@acme.example")
    assert (await browser.post("/activate", {**other, **DETAILS, "password": PASSWORD})).json()["data"]


@pytest.mark.usefixtures("no_mail")
async def test_no_inviter_gets_into_another_workspace_through_a_waiting_account(browser: Browser, cast: Cast) -> None:
    await INVITE(cast.alice, role="admin")
    eves = await INVITE(cast.eve)
    stolen = {"email": NEW, "password": PASSWORD, "invite_token": eves["token"]}
    assert (await browser.post("/login", stolen)).status == 401
    assert (await browser.post("/activate", {**eves, **DETAILS, "password": PASSWORD})).status == 403
    assert (await browser.post("/activate", {**eves, **DETAILS})).json() == {"result": "success"}
    assert not browser.cookies
    assert not (await Account.objects.aget(email=NEW)).has_usable_password()


async def test_an_invitation_to_somebody_known_looks_the_same_and_changes_nothing_of_theirs(
    browser: Browser, cast: Cast
) -> None:
    known, unknown = await INVITE(cast.eve, cast.bob.account.email), await INVITE(cast.eve)
    assert set(known) == set(unknown) and len(known["token"]) == len(unknown["token"])
    assert await Membership.objects.filter(tenant=cast.eve.tenant, account=cast.bob.account, role="editor").aexists()
    before = await Account.objects.values().aget(pk=cast.bob.account.pk)
    answer = await browser.post("/activate", {**known, **DETAILS, "password": "stolen, and quite long"})
    assert (answer.status, answer.json()) == (200, {"result": "success"})
    assert not browser.cookies
    mailed = query_of(await LINK(cast.bob.account.email))
    assert (await browser.post("/activate", {**mailed, **DETAILS, "password": PASSWORD})).json() == {"result": "success"}
    assert await Account.objects.values().aget(pk=cast.bob.account.pk) == before
    current = await Membership.objects.aget(account=cast.bob.account, current=True)
    assert current.tenant_id == cast.alice.tenant.pk


async def test_signing_in_with_somebody_elses_invitation_is_refused(browser: Browser, alice: Person) -> None:
    shown = await INVITE(alice)
    sent = {"email": "alice@acme.example", "password": PASSWORD, "invite_token": shown["token"]}
    answer = await browser.post("/login", sent)
    assert (answer.status, answer.json()["code"]) == (403, "invitation_account_mismatch")
    assert (await browser.post("/login", {**sent, "invite_token": "unknown"})).status == 200
    assert (await browser.post("/login", {**sent, "invite_token": None})).status == 200


@pytest.mark.parametrize("token", [None, "", [], {}, "x", "a\0b", "x" * 300])
async def test_what_is_no_invitation_is_refused(browser: Browser, token: Any) -> None:
    answer = await browser.post("/activate", {"token": token, **DETAILS})
    assert answer.json()["code"] in ("invalid_param", "already_activate")
    assert answer.status in (400, 403)


async def test_a_link_is_for_its_address_and_workspace(browser: Browser, cast: Cast) -> None:
    await INVITE(cast.alice)
    mailed = query_of(await LINK(NEW))
    for wrong in ({"email": "else@acme.example"}, {"workspace_id": str(cast.eve.tenant.pk)}, {"workspace_id": "none"}):
        assert (await browser.get("/activate/check", **{**mailed, **wrong})).json() == {"is_valid": False}
        assert (await browser.post("/activate", {**mailed, **DETAILS, **wrong})).status == 403
    bare = {"token": mailed["token"]}
    assert (await browser.get("/activate/check", **bare)).json()["is_valid"] is True


@pytest.mark.parametrize(
    "wrong", [{"interface_language": "tlh"}, {"timezone": "Mars/Olympus"}, {"name": ""}, {"password": "short"}]
)
async def test_details_that_are_refused_do_not_spend_the_link(browser: Browser, alice: Person, wrong: dict[str, str]) -> None:
    await INVITE(alice)
    mailed = query_of(await LINK(NEW))
    assert (await browser.post("/activate", {**mailed, **DETAILS, **wrong})).status == 400
    assert (await browser.post("/activate", {**mailed, **DETAILS})).status == 200


def test_a_member_who_was_removed_cannot_accept_any_more(alice: Person) -> None:
    shown = invite(alice)
    Membership.objects.get(account__email=NEW).delete()
    with pytest.raises(AlreadyActivated):
        invitations.accept(token=shown["token"])


def test_inviting_again_sends_the_letter_again_until_the_account_is_active(alice: Person) -> None:
    first = invite(alice)
    assert invite(alice) != first
    assert Membership.objects.filter(account__email=NEW).count() == 1
    assert len(letters_to(NEW)) == 2
    invitations.accept(token=query_of(link_for(NEW))["token"], password=PASSWORD)
    url = invitations.invite(tenant=alice.tenant, email=NEW, role="editor", invited_by=alice.account)
    assert url.endswith("/signin")
    assert len(letters_to(NEW)) == 2


def test_an_invitation_is_refused_whole_or_not_at_all(alice: Person) -> None:
    for email, role in ((NEW, "owner"), (NEW, "king"), ("nobody", "editor"), (f"{'x' * 300}@acme.example", "editor")):
        with pytest.raises(InvalidParam):
            invitations.invite(tenant=alice.tenant, email=email, role=role, invited_by=alice.account)
    assert not Account.objects.filter(email=NEW).exists()
    assert not Challenge.objects.exists() and not letters_to(NEW)


def test_a_banned_account_gets_no_letter(cast: Cast) -> None:
    accounts.set_status(account=cast.bob.account, status=AccountStatus.BANNED)
    invite(cast.eve, cast.bob.account.email)
    assert not letters_to(cast.bob.account.email)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Acme Inc.", "“Acme Inc.”"),
        ("Your account is locked: evil.com/login", "“Your account is locked: evil com/login”"),
        ("mail root@evil.example or call” 555", "“mail root evil example or call' 555”"),
        ("evil\u200b.\u200bcom \u202egnp.exe", "“evil . com gnp exe”"),
        ("evil\u3002com", "“evil com”"),
        ("中文公司", "“中文公司”"),
        ("\u2029 ", ""),
        ("x" * 200, f"“{'x' * 80}”"),
    ],
)
def test_names_stand_in_quotation_marks_and_are_no_addresses(name: str, told: str) -> None:
    assert letters.plain(name) == told


def test_names_bring_no_links_or_lines_into_the_letter(alice: Person) -> None:
    trap = tenants.create(name="Prize!\r\nBcc: x@evil.example http://evil.example www.evil.example <b>", owner=alice.account)
    invitations.invite(tenant=trap, email=NEW, role="normal", invited_by=alice.account)
    (letter,) = letters_to(NEW)
    assert letter.subject.count("\n") == 0 and "://" not in letter.subject
    assert str(letter.body).count("://") == 1
    assert "www." not in str(letter.body)
    assert "&lt;b&gt;" in str(letter.alternatives[0][0])
    assert mail.outbox[-1].recipients() == [NEW]
