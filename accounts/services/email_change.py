"""A new e-mail address: shown to be theirs are first the old address, then the new one. Letters go to both."""

from __future__ import annotations

from typing import Final

from django.db import transaction

from accounts.models import Account, Purpose
from accounts.services import accounts, challenges, letters, refusals
from difyproj.infra import limits

OLD, NEW = "old_email", "new_email"
PURPOSE: Final = Purpose.CHANGE_EMAIL
QUESTIONS: Final = "20/h"


def send_to_old(account: Account, *, email: str, language: str, ip: str | None) -> str:
    """A code to the account's present address, which the caller repeats. Raises InvalidEmail."""
    if Account.objects.normalize_email(email) != account.email:
        raise refusals.InvalidEmail
    return challenges.send(PURPOSE, email=account.email, language=language, ip=ip, account=account, data={"phase": OLD})


@transaction.atomic
def send_to_new(account: Account, *, email: str, proof: str, language: str, ip: str | None) -> str:
    """A code to the new address, for the proof of the old one, which is spent.

    Who is told by EmailInUse that somebody else has the address has proven their own, and does not ask often; the proof stays
    good then. Raises InvalidToken, EmailInUse and ChangeLimit.
    """
    _spend(account, proof, phase=OLD)
    check_free(account, email)
    return challenges.send(PURPOSE, email=email, language=language, ip=ip, account=account, data={"phase": NEW})


def check(account: Account, *, email: str, code: str, token: str) -> str:
    """The token of the next step, for a code that was right."""
    _of(account, token, stage=challenges.SENT)
    return challenges.verify(token, PURPOSE, code=code, email=email).token


@transaction.atomic
def finish(account: Account, *, email: str, proof: str) -> Account:
    """The account has the address that was shown to be theirs, and no other; every session ends.

    Raises InvalidToken, InvalidEmail and EmailInUse.
    """
    wanted = Account.objects.normalize_email(email)
    if _spend(account, proof, phase=NEW) != wanted:
        raise refusals.InvalidEmail
    old = account.email
    changed = accounts.set_email(account=Account.objects.select_for_update().get(pk=account.pk), email=wanted)
    told = letters.write("email_changed", language=changed.interface_language, new_email=wanted)
    letters.post(told, to=old)
    return changed


def check_free(account: Account, email: str) -> None:
    """What a form asks while somebody types; not so often that it tells who has an account. Raises EmailInUse."""
    usage = limits.count(group="email-free", key=str(account.pk), rate=QUESTIONS)
    if usage is not None and usage.limited:
        raise refusals.ChangeLimit(retry_after=usage.reset_seconds)
    if accounts.find(email) is not None:
        raise refusals.EmailInUse


def _spend(account: Account, proof: str, *, phase: str) -> str:
    """The address that the proof is for."""
    if _of(account, proof, stage=challenges.VERIFIED) != phase:
        raise refusals.InvalidToken
    return challenges.take(proof, PURPOSE).email


def _of(account: Account, token: str, *, stage: str) -> str:
    """The phase of the account's own challenge. Raises InvalidToken."""
    row = challenges.look(token, PURPOSE, stage=stage)
    if row is None or row.account_id != account.pk:
        raise refusals.InvalidToken
    return str(row.data["phase"])
