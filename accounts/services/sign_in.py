"""Sign-in: every way to show that an account is one's own ends in ``admit``, which opens the session."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password

from accounts.models import Account, AccountStatus, Purpose, SessionScope
from accounts.services import (
    accounts,
    challenges,
    claims,
    invitations,
    members,
    refusals,
    registration,
    second_factor,
    sessions,
    tenants,
)
from accounts.services.second_factor import SecondFactorRequired, SecondFactorWrong
from accounts.services.sessions import Caller, Tokens
from difyproj.infra import limits
from difyproj.kernel import secrets
from difyproj.kernel.errors import InvalidParam, TooManyRequests, Unauthorized


@dataclass(frozen=True, slots=True)
class Visitor:
    """Where somebody comes from and which tier they want in."""

    ip: str | None
    agent: str = ""
    scope: str = SessionScope.CONSOLE


def with_password(
    *, email: str, password: str, visitor: Visitor, invite_token: str = "", second_factor_code: str = ""
) -> Tokens:
    """Raises AuthenticationFailed, LoginLimit, AccountBanned, SecondFactorRequired.

    An address that nobody has costs the same hashes and gives the same answer as a wrong password.
    """
    tried = _spellings(password)
    if not tried:
        raise InvalidParam("The password is too long.", params="password")
    account = accounts.find(email)
    count_try(email, account, visitor.ip)
    if invite_token:
        invitations.bring_password(token=invite_token, email=email, password=tried[-1])
        account = accounts.find(email)
    if not any(_is_password(account, spelling) for spelling in tried) or account is None:
        raise refusals.AuthenticationFailed
    return admit(account, method="password", visitor=visitor, second_factor_code=second_factor_code)


def send_code(*, email: str, language: str, ip: str | None) -> str:
    """A token for every address; a letter to those who have an account, and to everybody where registration is open."""
    account = accounts.find(email)
    return challenges.send(
        Purpose.LOGIN,
        email=email,
        account=account,
        language=language or (account.interface_language if account else ""),
        ip=ip,
        reader=account is not None or settings.ALLOW_REGISTER,
        data={"language": language},
    )


def with_code(*, email: str, code: str, token: str, visitor: Visitor, timezone: str = "") -> Tokens:
    """Opens an account for a new address where registration is open.

    Raises InvalidToken, InvalidEmail, WrongCode, LoginLimit, AccountNotFound, AccountBanned, SecondFactorRequired.
    """
    proven = challenges.redeem(token, Purpose.LOGIN, code=code, ip=visitor.ip, email=email)
    account = accounts.find(proven.email)
    if account is None:
        if not settings.ALLOW_REGISTER:
            raise refusals.AccountNotFound
        account = registration.open_account(email=proven.email, language=proven.data["language"], timezone=timezone)
    _demand_welcome(account, visitor)
    claims.claim(account)
    return admit(account, method="email_code", visitor=visitor)


def with_invitation(
    *, visitor: Visitor, token: str, email: str = "", tenant_id: str = "", **details: str | None
) -> Tokens | None:
    """Accepts the invitation. Tokens for a new account, if the link proves the address; others sign in as usual."""
    accepted = invitations.accept(token=token, email=email, tenant_id=tenant_id, **details)  # type: ignore[arg-type]
    if not (accepted.fresh and accepted.proven):
        return None
    return admit(accepted.account, method="invitation", visitor=visitor)


def with_registration(*, token: str, password: str, repeated: str, language: str, timezone: str, visitor: Visitor) -> Tokens:
    account = registration.finish(token=token, password=password, repeated=repeated, language=language, timezone=timezone)
    return admit(account, method="email_code", visitor=visitor)


def with_second_factor(*, token: str, code: str, visitor: Visitor) -> Tokens:
    """The second step, where the first one raised SecondFactorRequired. Raises InvalidToken, SecondFactorWrong, LoginLimit."""
    row = challenges.attempt(token, Purpose.SECOND_FACTOR)
    account = row.account
    if account is None or row.data["scope"] != visitor.scope or row.data["password"] != _print_of(account):
        raise refusals.InvalidToken
    _demand_welcome(account, visitor)
    if not second_factor.check(account, code):
        raise SecondFactorWrong
    challenges.take(token, Purpose.SECOND_FACTOR, stage=challenges.SENT)
    return _enter(account, row.data["method"], visitor)


def admit(account: Account, *, method: str, visitor: Visitor, second_factor_code: str = "") -> Tokens:
    """A session for whoever has shown that the account is theirs.

    Raises AccountBanned, NoTenant, and SecondFactorRequired, whose ``data`` holds the token of the second step.
    """
    _demand_welcome(account, visitor)
    if account.status == AccountStatus.PENDING:
        accounts.set_status(account=account, status=AccountStatus.ACTIVE)
    if visitor.scope == SessionScope.CONSOLE:
        members.demand_any(account.pk)
    if second_factor_code:
        second_factor.demand(account, second_factor_code)
    elif second_factor.is_on(account):
        data = {"scope": visitor.scope, "method": method, "password": _print_of(account)}
        issued = challenges.create(Purpose.SECOND_FACTOR, email=account.email, account=account, data=data, code=False)
        raise SecondFactorRequired(data={"token": issued.token})
    return _enter(account, method, visitor)


def caller_of(access: str, scope: str = SessionScope.CONSOLE) -> Caller | None:
    """Who presents this access token, if it is good."""
    if not access:
        return None
    try:
        return sessions.authenticate(access, scope=scope)
    except Unauthorized:
        return None


def sign_out(*, access: str = "", refresh: str = "", scope: str = SessionScope.CONSOLE) -> None:
    """End the session of either token; a token that is not good ends nothing."""
    caller = caller_of(access, scope)
    if caller is not None:
        sessions.close(caller.session_id)
    if refresh:
        sessions.close_by_refresh(refresh, scope=scope)


def _enter(account: Account, method: str, visitor: Visitor) -> Tokens:
    """Who works in a workspace has accepted to be in it."""
    if visitor.scope == SessionScope.CONSOLE:
        tenants.accept(members.chosen(account.pk))
    return sessions.open(account, method=method, scope=visitor.scope, ip=visitor.ip, agent=visitor.agent)


def _demand_welcome(account: Account, visitor: Visitor) -> None:
    if account.status == AccountStatus.BANNED:
        raise refusals.AccountBanned if visitor.scope == SessionScope.CONSOLE else refusals.AccountBannedFromPages
    if account.status == AccountStatus.CLOSED:
        raise refusals.AuthenticationFailed


def count_try(email: str, account: Account | None, ip: str | None) -> None:
    """Count before the password is looked at, so that no number of tries at once gets around the limit.

    An account's tries are counted since it last signed in or changed its password; from each place, so that nobody is
    locked out by what others do elsewhere, and from all of them up to a higher ceiling.
    """
    where = limits.place(ip)
    by_ip = limits.count(group="sign-in-from", key=where, rate=settings.SIGN_IN_IP_RATE, must=True) if where else None
    if by_ip is not None and by_ip.limited:
        raise TooManyRequests(retry_after=by_ip.reset_seconds)
    since = f"{account.last_login} {account.password}" if account else ""
    tried = secrets.hash_token(f"{Account.objects.normalize_email(email)} {since}")
    for key, rate in ((f"{tried} {where}", settings.SIGN_IN_RATE), (tried, settings.SIGN_IN_ADDRESS_RATE)):
        tries = limits.count(group="sign-in", key=key, rate=rate, must=True)
        if tries is not None and tries.limited:
            raise refusals.LoginLimit(retry_after=tries.reset_seconds)


def _spellings(password: str) -> list[str]:
    """The password as it was given and, as newer clients send it, decoded from base64; none that is too long."""
    found = [password]
    try:
        decoded = base64.b64decode(password, validate=True).decode()
    except (binascii.Error, ValueError):
        decoded = ""
    if decoded.isprintable() and decoded:
        found.append(decoded)
    return [spelling for spelling in found if len(spelling) <= accounts.LONGEST_PASSWORD]


def _is_password(account: Account | None, password: str) -> bool:
    """One hash, whether or not there is an account and whether or not it has a password."""
    return check_password(password, UNUSABLE_PASSWORD_PREFIX) if account is None else account.check_password(password)


def _print_of(account: Account) -> str:
    """Tells whether the password has changed in between."""
    return secrets.hash_token(account.password)
