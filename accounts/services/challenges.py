"""Challenges: a code goes to an e-mail address, and who brings it back with its token has shown that the address is theirs.

1. ``send`` writes the row down and posts the letter, to nobody where there is nobody to write to: the token looks the same.
2. ``verify`` takes the code and gives a new token for the next step, or ``redeem`` ends the flow at once.
3. ``take`` spends the token; it works once.

Guesses are counted in the row before a code is looked at, so these functions must not run inside a transaction that a wrong
code would roll back; ``take`` belongs in the transaction of what the proof is for.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets as random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import Account, Challenge, Purpose
from difyproj.infra import limits
from difyproj.kernel import clock, ids, secrets
from difyproj.kernel.errors import DomainError

from . import letters, refusals

ATTEMPTS: Final = 5
SENT, VERIFIED = "sent", "verified"
CODE = re.compile(r"[0-9]{6}")
VERIFIED_LIFE: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Kind:
    """How long a challenge lives, which letter carries its code, and how its limits are told."""

    life: timedelta
    letter: str
    sent_too_often: type[DomainError]
    guessed_too_often: type[DomainError]


_DAYS_OF_AN_INVITATION: Final = 3
KINDS: Final[dict[str, Kind]] = {
    Purpose.LOGIN: Kind(timedelta(minutes=5), "sign_in", refusals.LoginSendLimit, refusals.LoginLimit),
    Purpose.REGISTER: Kind(timedelta(minutes=5), "register", refusals.RegisterSendLimit, refusals.RegisterLimit),
    Purpose.RESET_PASSWORD: Kind(timedelta(minutes=5), "reset_password", refusals.ResetSendLimit, refusals.ResetLimit),
    Purpose.CHANGE_EMAIL: Kind(timedelta(minutes=5), "change_email", refusals.ChangeSendLimit, refusals.ChangeLimit),
    Purpose.TRANSFER_OWNER: Kind(timedelta(minutes=5), "transfer_owner", refusals.TransferSendLimit, refusals.TransferLimit),
    Purpose.DELETE_ACCOUNT: Kind(timedelta(minutes=5), "delete_account", refusals.DeletionSendLimit, refusals.LoginLimit),
    Purpose.INVITE: Kind(timedelta(days=_DAYS_OF_AN_INVITATION), "invite", refusals.LoginSendLimit, refusals.LoginLimit),
    Purpose.SECOND_FACTOR: Kind(timedelta(minutes=5), "", refusals.LoginSendLimit, refusals.LoginLimit),
}


@dataclass(frozen=True, slots=True)
class Issued:
    """A new challenge and what its reader needs; neither can be read again."""

    row: Challenge
    token: str
    code: str


def create(
    purpose: str, *, email: str, account: Account | None = None, data: dict[str, Any] | None = None, code: bool = True
) -> Issued:
    """A challenge, and nothing sent. Without ``code`` its token alone is the proof."""
    digits = f"{random.randbelow(10**6):06d}" if code else ""
    token = secrets.new_token("")
    row = Challenge(
        id=ids.new_id(),
        purpose=purpose,
        token_hash=secrets.hash_token(token),
        email=Account.objects.normalize_email(email),
        account=account,
        data=data or {},
        expires_at=clock.now() + KINDS[purpose].life,
    )
    row.code_hash = _code_hash(row.pk, digits) if code else ""
    row.save(force_insert=True)
    return Issued(row, token, digits)


def send(
    purpose: str,
    *,
    email: str,
    language: str,
    ip: str | None,
    account: Account | None = None,
    reader: bool = True,
    letter: str = "",
    data: dict[str, Any] | None = None,
    **facts: Any,
) -> str:
    """The token of a new challenge, whose code goes to ``email`` if it has a ``reader``.

    The letter is the purpose's own unless another is named. Raises the purpose's limit, and SendIpLimit.
    """
    count_sending(purpose, email=email, ip=ip)
    kind = KINDS[purpose]
    issued = create(purpose, email=email, account=account, data=data)
    minutes = int(kind.life.total_seconds() // 60)
    written = letters.write(letter or kind.letter, language=language, code=issued.code, minutes=minutes, **facts)
    with transaction.atomic():
        letters.post(written, to=issued.row.email)
        if not reader:
            # The same work either way, so that the time it takes tells nobody who has an account.
            transaction.set_rollback(True)
    return issued.token


def count_sending(purpose: str, *, email: str, ip: str | None) -> None:
    """Count a letter to ``email`` asked for from ``ip``, whether or not it will be sent."""
    where = limits.place(ip)
    by_ip = limits.count(group="mail-from", key=where, rate=settings.EMAIL_SEND_IP_RATE) if where else None
    if by_ip is not None and by_ip.limited:
        raise refusals.SendIpLimit(retry_after=by_ip.reset_seconds)
    address = Account.objects.normalize_email(email)
    sent = limits.count(group=f"mail-to:{purpose}", key=address, rate=settings.EMAIL_SEND_RATE)
    if sent is not None and sent.limited:
        raise KINDS[purpose].sent_too_often(retry_after=sent.reset_seconds)


def verify(token: str, purpose: str, *, code: str, ip: str | None = None, email: str | None = None) -> Issued:
    """The challenge a step further, under a new token. ``ip`` is where the code comes from, if nobody is signed in there.

    Raises InvalidToken, InvalidEmail, WrongCode and the purpose's limit.
    """
    row = _guess(token, purpose, code, email, ip)
    fresh = secrets.new_token("")
    row.stage, row.expires_at = VERIFIED, clock.now() + VERIFIED_LIFE
    moved = Challenge.objects.filter(pk=row.pk, used_at=None, stage=SENT).update(
        stage=VERIFIED, expires_at=row.expires_at, code_hash="", attempts=0, token_hash=secrets.hash_token(fresh)
    )
    if not moved:
        raise refusals.InvalidToken
    return Issued(row, fresh, "")


def redeem(token: str, purpose: str, *, code: str, ip: str | None = None, email: str | None = None) -> Challenge:
    """``verify`` and ``take`` in one, for flows that end with the code."""
    return _spend(_guess(token, purpose, code, email, ip))


def attempt(token: str, purpose: str) -> Challenge:
    """Count a guess that somebody else will judge. Raises InvalidToken and the purpose's limit."""
    row = _find(token, purpose, SENT)
    if not Challenge.objects.filter(pk=row.pk, attempts__lt=ATTEMPTS).update(attempts=F("attempts") + 1):
        seconds = (row.expires_at - clock.now()).total_seconds()
        raise KINDS[purpose].guessed_too_often(retry_after=max(1.0, seconds))
    return row


def take(token: str, purpose: str, *, stage: str = VERIFIED) -> Challenge:
    """Spend the token, once. Raises InvalidToken."""
    return _spend(_find(token, purpose, stage))


def look(token: str, purpose: str, *, stage: str = SENT) -> Challenge | None:
    """The challenge behind a token that is still good, with its account."""
    rows = Challenge.objects.select_related("account").filter(
        token_hash=secrets.hash_token(token), purpose=purpose, stage=stage, used_at=None, expires_at__gt=clock.now()
    )
    return rows.first()


def revoke(purpose: str, *, account: Account) -> int:
    """Whatever was sent to the account for this purpose is good for nothing any more."""
    return Challenge.objects.filter(purpose=purpose, account=account).delete()[0]


def forget_expired() -> int:
    return Challenge.objects.filter(expires_at__lte=clock.now()).delete()[0]


def _find(token: str, purpose: str, stage: str) -> Challenge:
    row = look(token, purpose, stage=stage)
    if row is None:
        raise refusals.InvalidToken
    return row


def _spend(row: Challenge) -> Challenge:
    row.used_at = clock.now()
    if not Challenge.objects.filter(pk=row.pk, stage=row.stage, used_at=None).update(used_at=row.used_at):
        raise refusals.InvalidToken
    return row


def _guess(token: str, purpose: str, code: str, email: str | None, ip: str | None) -> Challenge:
    """Guesses are counted by address and place, so that nobody is locked out by what others do elsewhere, and by address alone
    up to a ceiling that only many places together reach.
    """
    row = attempt(token, purpose)
    if email is not None and Account.objects.normalize_email(email) != row.email:
        raise refusals.InvalidEmail
    for key, rate in (
        (f"{row.email} {limits.place(ip)}", settings.EMAIL_CODE_GUESS_RATE),
        (row.email, settings.EMAIL_CODE_ADDRESS_RATE),
    ):
        guesses = limits.count(group=f"guesses:{purpose}", key=key, rate=rate, must=True)
        if guesses is not None and guesses.limited:
            raise KINDS[purpose].guessed_too_often(retry_after=guesses.reset_seconds)
    if not constant_time_compare(row.code_hash, _code_hash(row.pk, _digits(code))):
        raise refusals.WrongCode
    return row


def _digits(code: str) -> str:
    """The code as it was written or, as newer clients send it, in base64."""
    if CODE.fullmatch(code) or len(code) > 12:
        return code
    try:
        return base64.b64decode(code, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return code


def _code_hash(challenge_id: UUID, code: str) -> str:
    """With the instance's key, as a million codes are quickly tried on a plain hash; bound to one challenge."""
    return salted_hmac("accounts.challenges", f"{challenge_id}:{code}", algorithm="sha256").hexdigest()
