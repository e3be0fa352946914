"""Who somebody is at a sign-in provider, and which account that makes them. The rows are allauth's social accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import Account, AccountStatus
from accounts.services import claims, refusals
from difyproj.kernel.errors import DomainError, Forbidden


class UnverifiedEmail(DomainError):
    code = "unverified_email"
    default_message = "The sign-in provider has not verified your e-mail address."


class RegistrationClosed(Forbidden):
    code = "registration_closed"
    default_message = "There is no account with your e-mail address, and new ones are made by invitation only."


@dataclass(frozen=True, slots=True)
class Identity:
    """What a provider tells of a person. ``uid`` is theirs for ever, the address may change hands."""

    provider: str
    uid: str
    email: str
    email_is_verified: bool
    name: str


@dataclass(frozen=True, slots=True)
class Integrate:
    provider: str
    created_at: datetime | None
    is_bound: bool
    link: str | None


def of(account: Account) -> list[Integrate]:
    """Every provider of this installation, and whether the account signs in by it."""
    bound = {row.provider: row.date_joined for row in SocialAccount.objects.filter(user=account)}
    return [
        Integrate(name, bound.get(name), name in bound, None if name in bound else login_url(name))
        for name in settings.SIGN_IN_PROVIDERS
    ]


def login_url(provider: str) -> str:
    return f"{settings.PUBLIC_URL}/console/api/oauth/login/{provider}"


def account_of(identity: Identity) -> Account | None:
    """The account that signed in with this identity before, or that the verified address belongs to and that is bound now.

    None where there is none. Raises AccountBanned, and UnverifiedEmail for a stranger without a verified address.
    """
    bound = SocialAccount.objects.filter(provider=identity.provider, uid=identity.uid).select_related("user").first()
    if bound is not None:
        return _admitted(bound.user)
    if not identity.email_is_verified or not identity.email:
        raise UnverifiedEmail
    account = Account.objects.filter(email=Account.objects.normalize_email(identity.email)).first()
    return _claimed(_admitted(account), identity) if account is not None else None


@transaction.atomic
def bind(account: Account, identity: Identity) -> Account:
    """From now on this identity signs in to the account. Who was first at the same moment stays."""
    try:
        with transaction.atomic():
            SocialAccount.objects.create(user=account, provider=identity.provider, uid=identity.uid, extra_data={})
    except IntegrityError:
        return _admitted(SocialAccount.objects.select_related("user").get(provider=identity.provider, uid=identity.uid).user)
    return account


@transaction.atomic
def _claimed(account: Account, identity: Identity) -> Account:
    """The provider has verified the address, maybe as the first to do so."""
    claims.claim(account)
    return bind(account, identity)


def _admitted(account: Account) -> Account:
    if account.status in (AccountStatus.BANNED, AccountStatus.CLOSED):
        raise refusals.AccountBanned
    return account
