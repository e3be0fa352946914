"""Accounts that people open themselves, where the operator allows it: a code proves the address, then comes the password."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from accounts.models import Account, Purpose
from accounts.services import accounts, challenges, profile, refusals, tenants
from accounts.services.challenges import Issued
from difyproj.kernel.errors import Conflict, Forbidden


class RegistrationClosed(Forbidden):
    default_message = "Registration is closed here. Please ask to be invited."


def demand_open() -> None:
    """Raises RegistrationClosed, the same for every address."""
    if not settings.ALLOW_REGISTER:
        raise RegistrationClosed


def send_code(*, email: str, language: str, ip: str | None) -> str:
    """A code to the address; who has an account already is told so in the letter, and only there."""
    demand_open()
    letter = "already_registered" if accounts.find(email) else ""
    return challenges.send(
        Purpose.REGISTER, email=email, language=language, ip=ip, letter=letter, link=f"{settings.PUBLIC_URL}/signin"
    )


def verify(*, token: str, code: str, email: str, ip: str | None = None) -> Issued:
    demand_open()
    return challenges.verify(token, Purpose.REGISTER, code=code, ip=ip, email=email)


@transaction.atomic
def finish(*, token: str, password: str, repeated: str, language: str = "", timezone: str = "") -> Account:
    """The account, once. Raises PasswordMismatch, InvalidToken, EmailInUse, InvalidParam for a weak password."""
    demand_open()
    if password != repeated:
        raise refusals.PasswordMismatch
    proven = challenges.take(token, Purpose.REGISTER)
    return open_account(email=proven.email, password=password, language=language, timezone=timezone)


@transaction.atomic
def open_account(*, email: str, name: str = "", password: str | None = None, language: str = "", timezone: str = "") -> Account:
    """An account for a proven address and, where members may make workspaces, one of its own. Raises EmailInUse."""
    try:
        account = accounts.create(
            email=email,
            name=name or email.partition("@")[0],
            password=password,
            interface_language=language if language in profile.LANGUAGES else profile.LANGUAGES[0],
            timezone=profile.checked_timezone(timezone or "UTC"),
        )
    except Conflict as error:
        raise refusals.EmailInUse from error
    if settings.ALLOW_CREATE_WORKSPACE:
        tenants.create(name=f"{account.name}'s Workspace", owner=account)
    return account
