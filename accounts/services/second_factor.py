"""The second factor: codes of an authenticator app (RFC 6238), and codes on paper for when the app is lost.

``demand`` is what a sign-in calls. The rows are allauth's authenticators: the secret is sealed with the instance key, paper
codes are hashes. ``last_used_at`` of the secret's row is the step of the last code that was taken, so none is taken twice.
"""

from __future__ import annotations

import base64
import hmac
import secrets as random
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.module_loading import import_string

from accounts.models import Account
from accounts.services import accounts
from difyproj.infra import limits
from difyproj.kernel import clock, jsonio, secrets
from difyproj.kernel.errors import Conflict, DomainError, InvalidParam, TooManyRequests, Unauthorized

STEP: Final = 30
DIGITS: Final = 6
TOLERANCE: Final = 1
ISSUER: Final = "difyproj"
SETUP_LIFE: Final = timedelta(minutes=15)
PAPER_CODES: Final = 10
PAPER_ALPHABET: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
RATE: Final = "10/15m"
# Names that the audit log takes for secrets.
SEALED, HASHES = "sealed_secret", "token_hashes"
APP, PAPER = Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES


class SecondFactorRequired(Unauthorized):
    """The password was right; the client asks for the code and signs in again with ``second_factor_code``."""

    code = "second_factor_required"
    default_message = "Please enter the code of your authenticator app."


class SecondFactorWrong(DomainError):
    code = "second_factor_code_error"
    default_message = "The code is wrong or was used already."


@dataclass(frozen=True, slots=True)
class Setup:
    """What an authenticator app needs once. ``token`` is the same secret, sealed, to be handed back with the first code."""

    token: str
    secret: str
    url: str
    svg: str


def is_on(account: Account) -> bool:
    return Authenticator.objects.filter(user=account, type=APP).exists()


def demand(account: Account, code: str) -> None:
    """Nothing where no second factor is on. Raises SecondFactorRequired without a code, SecondFactorWrong for a wrong one."""
    if not is_on(account):
        return
    if not code:
        raise SecondFactorRequired
    if not check(account, code):
        raise SecondFactorWrong


def check(account: Account, code: str) -> bool:
    """Takes a code of the app or one from paper; each is good once. Raises TooManyRequests after too many."""
    usage = limits.count(group="second_factor", key=str(account.pk), rate=RATE, must=True)
    if usage is not None and usage.limited:
        raise TooManyRequests(retry_after=usage.reset_seconds)
    wanted = "".join(code.split()).replace("-", "").upper()
    return _take_from_app(account, wanted) if wanted.isascii() and wanted.isdigit() else _take_from_paper(account, wanted)


def begin(account: Account) -> Setup:
    """A new secret for the account's app; nothing is kept until ``confirm``."""
    if is_on(account):
        raise Conflict("A second factor is on already.")
    secret = base64.b32encode(random.token_bytes(20)).decode()
    expires = clock.epoch(clock.now() + SETUP_LIFE)
    sealed = secrets.seal(settings.INSTANCE_KEY, jsonio.dumps({"secret": secret, "expires": expires}), context=_setup(account))
    asked = urlencode({"secret": secret, "issuer": ISSUER}, quote_via=quote)
    url = f"otpauth://totp/{quote(f'{ISSUER}:{account.email}')}?{asked}"
    return Setup(base64.urlsafe_b64encode(sealed).decode(), secret, url, _draw(url))


def confirm(account: Account, *, token: str, code: str, password: str) -> list[str]:
    """Turns the second factor on, by a first code of the app. Answers the paper codes, which nobody can read again."""
    accounts.demand_password(account, password)
    secret = _handed_back(account, token)
    step = _step_of(secret, code)
    if step is None:
        raise SecondFactorWrong
    codes, data = _new_paper_codes(), {SEALED: _sealed(secret.encode(), account)}
    try:
        with transaction.atomic():
            Authenticator.objects.create(user=account, type=APP, data=data, last_used_at=_moment(step))
            _keep_paper_codes(account, codes)
    except IntegrityError as error:
        raise Conflict("A second factor is on already.") from error
    return codes


def renew_paper_codes(account: Account, *, password: str) -> list[str]:
    """New paper codes in place of the old."""
    accounts.demand_password(account, password)
    if not is_on(account):
        raise InvalidParam("No second factor is on.")
    codes = _new_paper_codes()
    with transaction.atomic():
        _keep_paper_codes(account, codes)
    return codes


def remove(account: Account, *, password: str) -> None:
    accounts.demand_password(account, password)
    take_away(account)


def take_away(account: Account) -> int:
    """An operator's help for somebody who lost app and paper; how many authenticators went."""
    return Authenticator.objects.filter(user=account).delete()[0]


def paper_codes_left(account: Account) -> int:
    row = Authenticator.objects.filter(user=account, type=PAPER).first()
    return len(row.data[HASHES]) if row else 0


def reseal() -> tuple[int, list[str]]:
    """Seal every secret with the present instance key, after it was changed: how many, and whose could not be opened."""
    done, unreadable = 0, []
    for row in Authenticator.objects.filter(type=APP).select_related("user"):
        try:
            secret = _unsealed(base64.b64decode(row.data[SEALED]), _row(row.user))
        except secrets.Unreadable:
            unreadable.append(row.user.email)
            continue
        Authenticator.objects.filter(pk=row.pk, data=row.data).update(data={SEALED: _sealed(secret, row.user)})
        done += 1
    return done, unreadable


def _take_from_app(account: Account, code: str) -> bool:
    row = Authenticator.objects.filter(user=account, type=APP).first()
    if row is None:
        return False
    step = _step_of(_unsealed(base64.b64decode(row.data[SEALED]), _row(account)).decode(), code)
    if step is None:
        return False
    unused = Q(last_used_at__isnull=True) | Q(last_used_at__lt=_moment(step))
    return bool(Authenticator.objects.filter(unused, pk=row.pk).update(last_used_at=_moment(step)))


def _take_from_paper(account: Account, code: str) -> bool:
    """Of two uses at once one finds the row changed by the other."""
    row = Authenticator.objects.filter(user=account, type=PAPER).first()
    used = _paper_hash(account, code)
    if row is None or used not in row.data[HASHES]:
        return False
    left = {HASHES: [each for each in row.data[HASHES] if each != used]}
    return bool(Authenticator.objects.filter(pk=row.pk, data=row.data).update(data=left, last_used_at=clock.now()))


def _step_of(secret: str, code: str) -> int | None:
    """The time step, around now, whose code this is."""
    present = clock.epoch(clock.now()) // STEP
    steps = range(present - TOLERANCE, present + TOLERANCE + 1)
    given = code.strip().encode("utf-8", "replace")
    return next((step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), given)), None)


def code_at(secret: str, step: int) -> str:
    """RFC 4226, with the time step as the counter."""
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = mac[-1] & 0x0F
    number = struct.unpack(">I", mac[offset : offset + 4])[0] & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def _moment(step: int) -> datetime:
    return datetime.fromtimestamp(step * STEP, UTC)


def _new_paper_codes() -> list[str]:
    def part() -> str:
        return "".join(random.choice(PAPER_ALPHABET) for _ in range(5))

    return [f"{part()}-{part()}" for _ in range(PAPER_CODES)]


def _keep_paper_codes(account: Account, codes: list[str]) -> None:
    hashes = [_paper_hash(account, code.replace("-", "")) for code in codes]
    Authenticator.objects.update_or_create(user=account, type=PAPER, defaults={"data": {HASHES: hashes}})


def _paper_hash(account: Account, code: str) -> str:
    return secrets.hash_token(f"{account.pk}:{code}")


def _handed_back(account: Account, token: str) -> str:
    """The secret of a ``Setup`` that we made for this account not long ago."""
    try:
        made: dict[str, Any] = jsonio.loads(_unsealed(base64.urlsafe_b64decode(token.encode()), _setup(account)))
    except (ValueError, secrets.Unreadable) as error:
        raise InvalidParam("The setup is not known. Please begin again.", params="token") from error
    if made["expires"] <= clock.epoch(clock.now()):
        raise InvalidParam("The setup has expired. Please begin again.", params="token")
    return str(made["secret"])


def _sealed(secret: bytes, account: Account) -> str:
    return base64.b64encode(secrets.seal(settings.INSTANCE_KEY, secret, context=_row(account))).decode()


def _unsealed(sealed: bytes, context: bytes) -> bytes:
    """While the instance key is being changed, one of the previous keys may be the right one. Raises Unreadable."""
    keys = [settings.INSTANCE_KEY, *settings.INSTANCE_KEYS_PREVIOUS]
    for key in keys[:-1]:
        try:
            return secrets.unseal(key, sealed, context=context)
        except secrets.Unreadable:
            continue
    return secrets.unseal(keys[-1], sealed, context=context)


def _setup(account: Account) -> bytes:
    return b"second factor setup\0" + account.pk.bytes


def _row(account: Account) -> bytes:
    return b"second factor\0" + account.pk.bytes


def _draw(text: str) -> str:
    drawn: str = import_string("accounts.services.qr_code.svg")(text)
    return drawn
