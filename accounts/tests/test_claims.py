"""Whoever shows first that an address is theirs has its account alone; workspaces learn nothing of who has not accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.models import Authenticator
from asgiref.sync import sync_to_async

from accounts.models import Account, AccountStatus, Membership, Purpose, Session
from accounts.services import accounts, challenges, invitations, password_resets, sessions, sign_in, social_sign_in, tenants
from accounts.services.identities import Identity
from accounts.services.sign_in import Visitor
from difyproj.testing.browser import Browser
from difyproj.testing.cast import PASSWORD, Cast, Person
from difyproj.testing.console import signed_in
from difyproj.testing.mailbox import letters_to, link_for
from difyproj.testing.served import Served

VICTIM = "victim@corp.example"
SQUATTER, OWN = "a squatter's pass phrase", "the victim's own phrase"
HERE = Visitor("192.0.2.9")
NO_MAIL = "django.core.mail.backends.console.EmailBackend"
DETAILS = {"name": "Victim", "interface_language": "en-US", "timezone": "UTC"}
MEMBERS = "/workspaces/current/members"


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


def invited(by: Person, email: str = VICTIM) -> str:
    """The token that the inviter sees."""
    return token_of(invitations.invite(tenant=by.tenant, email=email, role="normal", invited_by=by.account))


@pytest.fixture
def squatted(cast: Cast, settings: Any) -> Account:
    """Eve invited a stranger where no mail is sent, and opened the account herself."""
    mailing, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, NO_MAIL
    tokens = sign_in.with_invitation(token=invited(cast.eve), name="Squatter", password=SQUATTER, visitor=HERE)
    assert tokens is not None
    settings.EMAIL_BACKEND = mailing
    account = Account.objects.get(email=VICTIM)
    Authenticator.objects.create(user=account, type="totp", data={"sealed_secret": "x"})
    return account


def by_provider() -> None:
    social_sign_in.with_identity(Identity("oidc", "u1", VICTIM, True, "Victim"), visitor=HERE)


def by_code() -> None:
    issued = challenges.create(Purpose.LOGIN, email=VICTIM, data={"language": ""})
    sign_in.with_code(email=VICTIM, code=issued.code, token=issued.token, visitor=HERE)


def by_reset() -> None:
    issued = challenges.create(Purpose.RESET_PASSWORD, email=VICTIM, account=Account.objects.get(email=VICTIM))
    proven = password_resets.verify(token=issued.token, code=issued.code, email=VICTIM)
    password_resets.reset(token=proven.token, password=OWN, repeated=OWN)


@pytest.mark.parametrize("prove", [by_provider, by_code, by_reset])
def test_the_first_proof_shuts_out_who_was_in_before(squatted: Account, prove: Callable[[], None]) -> None:
    before = set(Session.objects.filter(account=squatted).values_list("pk", flat=True))
    assert before and squatted.email_proven_at is None
    prove()
    account = Account.objects.get(email=VICTIM)
    assert account.email_proven_at is not None
    assert not account.check_password(SQUATTER)
    assert not Session.objects.filter(pk__in=before).exists()
    assert not any(sessions.is_alive(each, account.pk) for each in before)
    assert not Authenticator.objects.filter(user=account).exists()


def test_a_further_proof_takes_nothing_away(alice: Person) -> None:
    sessions.open(alice.account, method="password")
    social_sign_in.with_identity(Identity("oidc", "u1", alice.account.email, True, "Alice"), visitor=HERE)
    assert Account.objects.get(pk=alice.account.pk).check_password(PASSWORD)
    assert Session.objects.filter(account=alice.account).count() == 2


def test_a_banned_account_is_not_claimed(squatted: Account) -> None:
    accounts.set_status(account=squatted, status=AccountStatus.BANNED)
    with pytest.raises(Exception, match="banned"):
        by_code()
    assert Account.objects.get(email=VICTIM).email_proven_at is None


async def test_the_letters_link_is_good_after_the_inviters_was_followed(browser: Browser, cast: Cast) -> None:
    shown = await sync_to_async(invited)(cast.eve)
    await sync_to_async(invited)(cast.alice)
    mailed = token_of(await sync_to_async(link_for)(VICTIM))
    assert (await browser.post("/activate", {"token": shown, **DETAILS, "name": "Rude name"})).status == 200
    answer = await browser.post("/activate", {"token": mailed, **DETAILS, "password": PASSWORD})
    assert answer.json()["data"]["access_token"] == browser.cookies["access_token"]
    account = await Account.objects.aget(email=VICTIM)
    assert (account.name, account.status, account.has_usable_password()) == ("Victim", "active", True)
    assert (await Browser(browser.house).sign_in(VICTIM, PASSWORD)).status == 200


async def test_so_it_is_at_a_sign_in_that_brings_it(browser: Browser, cast: Cast) -> None:
    shown = await sync_to_async(invited)(cast.eve)
    mailed = token_of(await sync_to_async(link_for)(VICTIM))
    assert (await browser.post("/activate", {"token": shown, **DETAILS})).status == 200
    again = {"email": VICTIM, "password": PASSWORD, "invite_token": mailed}
    assert (await browser.post("/login", again)).status == 200


def test_a_letters_link_gives_no_password_to_an_account_that_was_proven(cast: Cast) -> None:
    bob = cast.bob.account
    bob.set_unusable_password()
    bob.save()
    invited(cast.eve, bob.email)
    accepted = invitations.accept(token=token_of(link_for(bob.email)), name="Mallory", password=SQUATTER)
    bob.refresh_from_db()
    assert (accepted.fresh, bob.name, bob.has_usable_password()) == (False, "Bob", False)


async def test_a_workspace_that_invites_somebody_cannot_sign_them_out_elsewhere(house: Served, cast: Cast) -> None:
    alices, eves = await signed_in(house, cast.alice), await signed_in(house, cast.eve)
    invitation = {"emails": [cast.alice.account.email], "role": "admin"}
    assert (await eves.post(f"{MEMBERS}/invite-email", invitation)).status == 201
    own = f"{MEMBERS}/{cast.alice.account.pk}"
    assert (await eves.put(f"{own}/update-role", {"role": "normal"})).status == 200
    assert (await alices.get("/workspaces/current")).status == 200
    assert (await eves.delete(own)).status == 200
    assert (await alices.get("/workspaces/current")).status == 200
    assert await Session.objects.filter(account=cast.alice.account).acount() == 1
    assert not await Membership.objects.filter(account=cast.alice.account, tenant=cast.eve.tenant).aexists()


async def test_nobody_learns_by_an_invitation_who_has_an_account(house: Served, cast: Cast) -> None:
    alices, eves = await signed_in(house, cast.alice), await signed_in(house, cast.eve)
    await Account.objects.filter(pk=cast.alice.account.pk).aupdate(name="Alice von A.", avatar="x.png")
    emails = [cast.alice.account.email, "nobody@acme.example"]
    for _ in range(2):
        answer = await eves.post(f"{MEMBERS}/invite-email", {"emails": emails, "role": "normal"})
        assert ["token=" in row["url"] for row in answer.json()["invitation_results"]] == [True, True]
    known, unknown = (await eves.get(MEMBERS)).json()["accounts"][1:]
    for row, name in ((known, "alice"), (unknown, "nobody")):
        assert (row["name"], row["status"], row["avatar"], row["avatar_url"]) == (name, "pending", "", None)
        assert (row["last_login_at"], row["last_active_at"]) == (None, None)
        membership = await Membership.objects.aget(account_id=row["id"], tenant=cast.eve.tenant)
        assert row["created_at"] == int(membership.created_at.timestamp())
    shown = await sync_to_async(invited)(cast.eve, cast.alice.account.email)
    assert (await Browser(house).post("/activate", {"token": shown, **DETAILS})).status == 200
    assert (await eves.get(MEMBERS)).json()["accounts"][1]["name"] == "alice"
    await alices.post("/workspaces/switch", {"tenant_id": str(cast.eve.tenant.pk)})
    assert (await eves.get(MEMBERS)).json()["accounts"][1]["name"] == "Alice von A."


def test_the_letters_link_and_a_sign_in_accept(cast: Cast) -> None:
    invited(cast.eve, cast.bob.account.email)
    invitations.accept(token=token_of(link_for(cast.bob.account.email)))
    newcomer = accounts.create(email="new@acme.example", name="New", password=PASSWORD)
    tenants.add_member(tenant=cast.eve.tenant, account=newcomer, role="normal", asked=True)
    assert Membership.objects.get(account=newcomer).accepted_at is None
    sign_in.with_password(email="new@acme.example", password=PASSWORD, visitor=HERE)
    rows = Membership.objects.for_tenant(cast.eve.tenant)
    assert not rows.filter(accepted_at=None).exists() and rows.count() == 3
    assert len(letters_to(cast.bob.account.email)) == 1
