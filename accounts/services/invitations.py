"""Invitations: an account that waits for its person, a link in a letter, and the same kind of link for who invited.

A link from the letter proves the address; the one that the inviter sees proves nothing, as it may be followed by the inviter:
it opens the account, but gives it no password and no session. Where no mail can be sent, the inviter's link is all there is,
and it is believed as long as nobody else has invited this person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import Account, AccountStatus, Challenge, Membership, Purpose, Tenant
from accounts.services import accounts, challenges, claims, letters, profile, refusals, sessions, tenants
from accounts.services.features import mail_is_set_up
from difyproj.kernel import clock, ids

MAILED: Final = "mailed"


class Invitation(NamedTuple):
    """A link that is still good."""

    row: Challenge
    membership: Membership
    tenant: Tenant
    account: Account


@dataclass(frozen=True, slots=True)
class Accepted:
    """``proven`` says that whoever accepted has shown that the address is theirs; ``fresh`` that the account begins now."""

    account: Account
    fresh: bool
    proven: bool


@transaction.atomic
def invite(*, tenant: Tenant, email: str, role: str, invited_by: Account, language: str = "en-US") -> str:
    """The person is a member at once; the link to accept by, the same for somebody new and somebody known.

    Who is a member already gets the letter again until they accept; then the answer is where they sign in.
    """
    account = accounts.find(email) or accounts.create(
        email=email,
        name=email.partition("@")[0],
        interface_language=language if language in profile.LANGUAGES else profile.LANGUAGES[0],
        status=AccountStatus.PENDING,
    )
    membership = Membership.objects.for_tenant(tenant).filter(account=account).first()
    if membership is None:
        tenants.add_member(tenant=tenant, account=account, role=role, invited_by=invited_by, asked=True)
    elif membership.accepted_at is not None:
        return f"{settings.PUBLIC_URL}/signin"
    mailed, shown = (_issue(tenant, account, mailed=mailed) for mailed in (True, False))
    kind = challenges.KINDS[Purpose.INVITE]
    written = letters.write(
        kind.letter, language=language, link=mailed, days=kind.life.days, workspace=letters.plain(tenant.name),
        inviter=letters.plain(invited_by.name),
    )  # fmt: skip
    if account.status not in (AccountStatus.BANNED, AccountStatus.CLOSED):
        letters.post(written, to=account.email, tenant_id=tenant.pk)
    return shown


def check(token: str, *, email: str = "", tenant_id: str = "") -> Invitation | None:
    """The invitation behind a link that is still good; None for any other, and for who is no member any more."""
    row = challenges.look(token, Purpose.INVITE)
    if row is None or row.account is None or (email and Account.objects.normalize_email(email) != row.email):
        return None
    if tenant_id and ids.parse(tenant_id) != _tenant_of(row):
        return None
    members = Membership.objects.for_tenant(_tenant_of(row)).filter(account=row.account).select_related("tenant")
    membership = members.first()
    return Invitation(row, membership, membership.tenant, row.account) if membership else None


@transaction.atomic
def accept(
    *,
    token: str,
    name: str = "",
    language: str = "en-US",
    timezone: str = "UTC",
    password: str | None = None,
    email: str = "",
    tenant_id: str = "",
) -> Accepted:
    """Spends the link. A waiting account becomes active, and one that was opened without any proof of its address begins
    anew with the letter's link; any other stays as it is. Raises AlreadyActivated.
    """
    found = check(token, email=email, tenant_id=tenant_id)
    if found is None:
        raise refusals.AlreadyActivated
    challenges.take(token, Purpose.INVITE, stage=challenges.SENT)
    account = Account.objects.select_for_update().get(pk=found.account.pk)
    proven, waiting = _proves_the_address(found), _waits(found, account)
    if found.row.data[MAILED] and account.status in (AccountStatus.PENDING, *sessions.LIVELY):
        claims.claim(account)
    if proven:
        tenants.accept(found.membership)
    if not waiting:
        return Accepted(account, fresh=False, proven=proven)
    if password is not None and not proven:
        raise refusals.AlreadyActivated("Please use the link from your e-mail to set a password.")
    account.name = name.strip() or account.name
    account.interface_language = profile.checked_language(language)
    account.timezone = profile.checked_timezone(timezone)
    account.status, account.initialized_at = AccountStatus.ACTIVE, clock.now()
    account.save(update_fields=["name", "interface_language", "timezone", "status", "initialized_at", "updated_at"])
    if password is not None:
        accounts.set_password(account=account, password=password)
    return Accepted(account, fresh=True, proven=proven)


def bring_password(*, token: str, email: str, password: str) -> None:
    """At a sign-in with an invitation: an account that waits for its person, without a password, gets this one.

    A link that is not good any more is no obstacle to signing in. Raises InvitationMismatch.
    """
    found = check(token)
    if found is None:
        return
    if found.row.email != Account.objects.normalize_email(email):
        raise refusals.InvitationMismatch
    account = found.account
    if _waits(found, account) and not account.has_usable_password() and _proves_the_address(found):
        accept(token=token, language=account.interface_language, timezone=account.timezone, password=password)


def _issue(tenant: Tenant, account: Account, *, mailed: bool) -> str:
    data = {"tenant_id": str(tenant.pk), MAILED: mailed}
    issued = challenges.create(Purpose.INVITE, email=account.email, account=account, data=data, code=False)
    query = urlencode({"workspace_id": str(tenant.pk), "email": account.email, "token": issued.token})
    return f"{settings.PUBLIC_URL}/activate?{query}"


def _waits(found: Invitation, account: Account) -> bool:
    """For its person; opened by somebody else, an account still waits for the link from the letter."""
    unproven = account.email_proven_at is None and account.status in sessions.LIVELY
    return account.status == AccountStatus.PENDING or (unproven and bool(found.row.data[MAILED]))


def _tenant_of(row: Challenge) -> UUID:
    return UUID(row.data["tenant_id"])


def _proves_the_address(found: Invitation) -> bool:
    if found.row.data[MAILED]:
        return True
    elsewhere = Membership.objects.filter(account=found.account).exclude(tenant=found.tenant)
    return not mail_is_set_up() and not elsewhere.exists()
