"""Signing in with a provider's identity: to the account that is bound to it, or to a new one where registration is open."""

from __future__ import annotations

from django.conf import settings

from accounts.models import Account
from accounts.services import identities, invitations, refusals, registration, sign_in
from accounts.services.identities import Identity, RegistrationClosed
from accounts.services.sessions import Tokens
from accounts.services.sign_in import Visitor


def with_identity(identity: Identity, *, visitor: Visitor, invite_token: str = "", language: str = "") -> Tokens:
    """Raises UnverifiedEmail, RegistrationClosed, InvitationMismatch, AccountBanned, NoTenant, SecondFactorRequired."""
    _demand_invited(identity, invite_token)
    account = identities.account_of(identity) or _open_account(identity, language)
    return sign_in.admit(account, method=identity.provider, visitor=visitor)


def _open_account(identity: Identity, language: str) -> Account:
    if not settings.ALLOW_REGISTER:
        raise RegistrationClosed
    account = registration.open_account(email=identity.email, name=identity.name, language=language)
    return identities.bind(account, identity)


def _demand_invited(identity: Identity, token: str) -> None:
    """Who comes with an invitation comes as the one who was invited. One that is not good any more is no obstacle."""
    found = invitations.check(token) if token else None
    if found is not None and found[0].email != Account.objects.normalize_email(identity.email):
        raise refusals.InvitationMismatch
