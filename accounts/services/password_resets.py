"""Forgotten passwords: a code proves the address, the new password ends every session."""

from __future__ import annotations

from django.db import transaction

from accounts.models import Account, AccountStatus, Purpose
from accounts.services import accounts, challenges, claims, refusals
from accounts.services.challenges import Issued


def send_code(*, email: str, language: str, ip: str | None) -> str:
    """A token for every address, a letter only to those who have an account."""
    account = accounts.find(email)
    return challenges.send(
        Purpose.RESET_PASSWORD,
        email=email,
        account=account,
        language=language or (account.interface_language if account else ""),
        ip=ip,
        reader=account is not None,
    )


def verify(*, token: str, code: str, email: str, ip: str | None = None) -> Issued:
    return challenges.verify(token, Purpose.RESET_PASSWORD, code=code, ip=ip, email=email)


@transaction.atomic
def reset(*, token: str, password: str, repeated: str) -> Account:
    """The new password. Raises PasswordMismatch, InvalidToken, AccountNotFound, AccountBanned, InvalidParam for a weak one."""
    if password != repeated:
        raise refusals.PasswordMismatch
    proven = challenges.take(token, Purpose.RESET_PASSWORD)
    account = Account.objects.select_for_update().filter(email=proven.email).first()
    if account is None or account.pk != proven.account_id or account.status == AccountStatus.CLOSED:
        raise refusals.AccountNotFound
    if account.status == AccountStatus.BANNED:
        raise refusals.AccountBanned
    claims.claim(account)
    accounts.set_password(account=account, password=password)
    if account.status == AccountStatus.PENDING:
        accounts.set_status(account=account, status=AccountStatus.ACTIVE)
    challenges.revoke(Purpose.RESET_PASSWORD, account=account)
    return account
