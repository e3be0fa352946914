"""Create accounts and change their passwords."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import Account
from difyproj.kernel.errors import Conflict, InvalidParam

LONGEST_PASSWORD = 1024


def create(
    *,
    email: str,
    name: str,
    password: str | None = None,
    is_staff: bool = False,
    is_superuser: bool = False,
    interface_language: str = "en-US",
    timezone: str = "UTC",
) -> Account:
    """A new active account; without a password it cannot sign in until it has one."""
    account = Account(
        email=Account.objects.normalize_email(email),
        name=name.strip(),
        is_staff=is_staff,
        is_superuser=is_superuser,
        interface_language=interface_language,
        timezone=timezone,
    )
    try:
        account.clean_fields(exclude={"password"})
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise InvalidParam(f"{field}: {' '.join(messages)}", params=field) from error
    if password is None:
        account.set_unusable_password()
    else:
        account.set_password(_checked(password, account))
    try:
        with transaction.atomic():
            account.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("An account with this e-mail address exists.", params="email") from error
    return account


def set_password(*, account: Account, password: str) -> Account:
    account.set_password(_checked(password, account))
    account.save(update_fields=["password", "updated_at"])
    return account


def _checked(password: str, account: Account) -> str:
    if len(password) > LONGEST_PASSWORD:
        raise InvalidParam("The password is too long.", params="password")
    try:
        validate_password(password, account)
    except ValidationError as error:
        raise InvalidParam(" ".join(error.messages), params="password") from error
    return password
