"""Create accounts and change their passwords."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import Account, AccountStatus
from accounts.services import sessions
from accounts.services.refusals import EmailInUse, LoginLimit
from difyproj.infra import limits
from difyproj.kernel import clock
from difyproj.kernel.errors import Conflict, DomainError, InvalidParam

LONGEST_PASSWORD = 1024
# Of somebody who is signed in already and repeats the password to change something.
PROOF_RATE = "20/h"


class RepeatPasswordNotMatch(DomainError):
    code = "repeat_password_not_match"
    default_message = "The new password and its repetition do not match."


class CurrentPasswordIncorrect(DomainError):
    code = "current_password_incorrect"
    default_message = "The current password is incorrect."


def create(
    *,
    email: str,
    name: str,
    password: str | None = None,
    is_staff: bool = False,
    is_superuser: bool = False,
    interface_language: str = "en-US",
    timezone: str = "UTC",
    status: str = AccountStatus.ACTIVE,
) -> Account:
    """A new account, active unless ``status`` says otherwise; without a password it cannot sign in until it has one.

    Whoever opens an account has proven its address or vouches for it, except for one that waits for its person.
    """
    account = Account(
        email=Account.objects.normalize_email(email),
        name=name.strip(),
        is_staff=is_staff,
        is_superuser=is_superuser,
        interface_language=interface_language,
        timezone=timezone,
        status=status,
        email_proven_at=None if status == AccountStatus.PENDING else clock.now(),
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


def find(email: str) -> Account | None:
    """The account of this address, whatever its letter case."""
    return Account.objects.filter(email=Account.objects.normalize_email(email)).first()


@transaction.atomic
def set_password(*, account: Account, password: str) -> Account:
    """A new password; whoever was signed in with the old one no longer is."""
    account.set_password(_checked(password, account))
    account.save(update_fields=["password", "updated_at"])
    sessions.close_all(account)
    return account


def change_password(*, account: Account, password: str | None, new_password: str, repeat_new_password: str) -> Account:
    """A new password by who knows the present one, if there is one; every session ends.

    Raises RepeatPasswordNotMatch, CurrentPasswordIncorrect, InvalidParam for a weak one.
    """
    if new_password != repeat_new_password:
        raise RepeatPasswordNotMatch
    row = Account.objects.get(pk=account.pk)
    demand_password(row, password or "")
    return set_password(account=row, password=new_password)


@transaction.atomic
def set_email(*, account: Account, email: str) -> Account:
    """Another address, which is proven, and at which the account is a stranger so far: every session ends."""
    account.email, account.email_proven_at = Account.objects.normalize_email(email), clock.now()
    try:
        with transaction.atomic():
            account.save(update_fields=["email", "email_proven_at", "updated_at"])
    except IntegrityError as error:
        raise EmailInUse from error
    sessions.close_all(account)
    return account


def demand_password(account: Account, password: str) -> None:
    """Nothing for an account that has none. Raises CurrentPasswordIncorrect, and LoginLimit after too many guesses."""
    if not account.has_usable_password():
        return
    usage = limits.count(group="current-password", key=str(account.pk), rate=PROOF_RATE, must=True)
    if usage is not None and usage.limited:
        raise LoginLimit(retry_after=usage.reset_seconds)
    if len(password) > LONGEST_PASSWORD or not account.check_password(password):
        raise CurrentPasswordIncorrect


@transaction.atomic
def set_status(*, account: Account, status: str) -> Account:
    """Who may not sign in any more is signed out everywhere."""
    if status not in AccountStatus.values:
        raise InvalidParam(f"status must be one of: {', '.join(AccountStatus.values)}.", params="status")
    account.status = status
    account.save(update_fields=["status", "updated_at"])
    if status not in sessions.LIVELY:
        sessions.close_all(account)
    return account


def _checked(password: str, account: Account) -> str:
    if len(password) > LONGEST_PASSWORD:
        raise InvalidParam("The password is too long.", params="password")
    try:
        validate_password(password, account)
    except ValidationError as error:
        raise InvalidParam(" ".join(error.messages), params="password") from error
    return password
