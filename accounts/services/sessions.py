"""Sessions: how an account's sign-in becomes tokens, how they are renewed, and how they end everywhere at once.

The access token is a short JWT that names its session; the refresh token is opaque, kept as a hash and renewed at each use.
A session's row is remembered for a while; deleting it, or changing its account, ends its tokens in every process in a second.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import jwt
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import Account, AccountStatus, Session, SessionScope
from difyproj.infra.cache import Cached
from difyproj.kernel import clock, ids, secrets
from difyproj.kernel.errors import Unauthorized

ALGORITHM: Final = "HS256"
ISSUER: Final = "SELF_HOSTED"
SUBJECTS: Final = {SessionScope.CONSOLE: "Console API Passport", SessionScope.WEB_APP: "Web API Login"}
CSRF_SUBJECT: Final = "CSRF"
LIVELY: Final = (AccountStatus.ACTIVE, AccountStatus.UNINITIALIZED)
MOST: Final = 50
DECISIVE: Final = frozenset({"status", "password"})
TOUCH: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sign-in hands out. Nothing of it can be read again."""

    session_id: UUID
    access: str
    refresh: str
    csrf: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The account behind an access token, and its session."""

    account_id: UUID
    session_id: UUID


@dataclass(slots=True)
class _Standing:
    """What is remembered of a session. ``used_at`` moves on with each use that is noted."""

    account_id: UUID
    scope: str
    status: str
    expires_at: datetime
    used_at: datetime | None


_standings: Cached[_Standing | None] = Cached("sessions", ttl=60.0, max_entries=20_000)


def open(account: Account, *, method: str, scope: str = SessionScope.CONSOLE, ip: str | None = None, agent: str = "") -> Tokens:
    """A new session and its tokens; notes when and from where the account signed in.

    The session lasts while the account keeps the password that ``account`` holds, so that a sign-in which meets a change
    of the password is over with it. Of more than MOST sessions the oldest end.
    """
    now = clock.now()
    refresh = secrets.new_token("")
    with transaction.atomic():
        # First, as it holds up other sign-ins of the account until this one's row is to be seen.
        Account.objects.filter(pk=account.pk).update(last_login=now, last_login_ip=ip, last_active_at=now)
        row = Session.objects.create(
            account=account, scope=scope, refresh_hash=secrets.hash_token(refresh), password_print=_print_of(account),
            method=method, ip=ip, user_agent=agent.replace("\0", "")[:255], last_used_at=now, expires_at=now + _refresh_life(),
        )  # fmt: skip
        newest = Session.objects.filter(account=account).exclude(pk=row.pk).order_by("-created_at", "-pk")
        _end(newest[MOST - 1 :])
    return _tokens(row, refresh)


def renew(refresh: str, *, scope: str = SessionScope.CONSOLE, ip: str | None = None) -> Tokens:
    """New tokens for old; the old refresh token is spent, so that of two uses at once one fails. Raises Unauthorized."""
    old, now = secrets.hash_token(refresh), clock.now()
    fresh = secrets.new_token("")
    rows = Session.objects.filter(refresh_hash=old, scope=scope, expires_at__gt=now, account__status__in=LIVELY)
    row = rows.select_related("account").first()
    if (
        row is None
        or row.password_print != _print_of(row.account)
        or not rows.filter(pk=row.pk).update(
            refresh_hash=secrets.hash_token(fresh), last_used_at=now, ip=ip or row.ip, expires_at=now + _refresh_life()
        )
    ):
        raise Unauthorized("The session has ended. Please sign in again.")
    _standings.invalidate(row.pk)
    return _tokens(row, fresh)


def authenticate(access: str, *, scope: str = SessionScope.CONSOLE) -> Caller:
    """Who presents this access token; no query while warm, but a note of the use once a minute. Raises Unauthorized."""
    claims = _claims(access, SUBJECTS[SessionScope(scope)])
    session_id, account_id = ids.parse(claims.get("session_id")), ids.parse(claims.get("user_id"))
    standing = _standing_of(session_id, account_id, scope) if session_id and account_id else None
    if session_id is None or account_id is None or standing is None:
        raise Unauthorized("The session has ended. Please sign in again.")
    _note_use(session_id, standing)
    return Caller(account_id, session_id)


def is_alive(session_id: UUID, account_id: UUID, *, scope: str = SessionScope.CONSOLE) -> bool:
    """Whether the session goes on and its account may use it."""
    return _standing_of(session_id, account_id, scope) is not None


def csrf_is_valid(csrf: str, account_id: UUID) -> bool:
    """Whether the CSRF token was made for this account."""
    try:
        return ids.parse(_claims(csrf, CSRF_SUBJECT).get("user_id")) == account_id
    except Unauthorized:
        return False


def close(session_id: UUID) -> None:
    _end(Session.objects.filter(pk=session_id))


def close_all(account: Account, *, but: UUID | None = None) -> int:
    """End every session of the account, ``but`` one; how many ended."""
    rows = Session.objects.filter(account=account)
    return _end(rows if but is None else rows.exclude(pk=but))


def of(account: Account) -> list[Session]:
    """The account's sessions that go on, newest first."""
    rows = Session.objects.filter(account=account, expires_at__gt=clock.now(), password_print=_print_of(account))
    return list(rows)


def close_one(account: Account, session_id: UUID | str) -> bool:
    """End one of the account's own sessions; False when it has no such one."""
    key = ids.parse(session_id)
    return bool(key and _end(Session.objects.filter(account=account, pk=key)))


def close_by_refresh(refresh: str, *, scope: str = SessionScope.CONSOLE) -> None:
    _end(Session.objects.filter(scope=scope, refresh_hash=secrets.hash_token(refresh)))


def forget_expired() -> int:
    return Session.objects.filter(expires_at__lte=clock.now()).delete()[0]


def _end(rows: QuerySet[Session]) -> int:
    """How many there were. One invalidation, be they ever so many."""
    keys = list(rows.values_list("pk", flat=True))
    if keys:
        Session.objects.filter(pk__in=keys).delete()
        _standings.invalidate(keys[0] if len(keys) == 1 else None)
    return len(keys)


def _tokens(row: Session, refresh: str) -> Tokens:
    account, session = str(row.account_id), str(row.pk)
    access_life = timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES)
    access = _encode(SUBJECTS[SessionScope(row.scope)], access_life, user_id=account, session_id=session)
    return Tokens(row.pk, access, refresh, _encode(CSRF_SUBJECT, access_life, user_id=account))


def _refresh_life() -> timedelta:
    return timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS)


def _encode(subject: str, life: timedelta, **claims: str) -> str:
    payload = {"sub": subject, "iss": ISSUER, "exp": clock.now() + life, **claims}
    return jwt.encode(payload, settings.SECRET_KEY, algorithm=ALGORITHM)


def _claims(token: str, subject: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token, settings.SECRET_KEY, algorithms=[ALGORITHM], issuer=ISSUER, options={"require": ["exp", "sub", "user_id"]}
        )
    except (jwt.InvalidTokenError, ValueError) as error:
        raise Unauthorized from error
    if claims["sub"] != subject:
        raise Unauthorized
    return claims


def _standing_of(session_id: UUID, account_id: UUID, scope: str) -> _Standing | None:
    """Of a session that goes on, is this account's and for this scope."""
    standing = _standings.get(session_id, lambda: _load(session_id))
    if standing is None or (standing.account_id, standing.scope) != (account_id, scope):
        return None
    return standing if standing.status in LIVELY and standing.expires_at > clock.now() else None


def _note_use(session_id: UUID, standing: _Standing) -> None:
    """At most once a minute."""
    now = clock.now()
    if standing.used_at is not None and standing.used_at > now - TOUCH:
        return
    standing.used_at = now
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - TOUCH)
    Session.objects.filter(stale, pk=session_id).update(last_used_at=now)


def _load(session_id: UUID) -> _Standing | None:
    row = Session.objects.filter(pk=session_id).select_related("account").first()
    if row is None or row.password_print != _print_of(row.account):
        return None
    return _Standing(row.account_id, row.scope, row.account.status, row.expires_at, row.last_used_at)


def _print_of(account: Account) -> str:
    """Of the password's hash, whoever wrote it: the admin's own form and manage.py end no sessions themselves."""
    return secrets.hash_token(account.password)


@receiver((post_save, post_delete), sender=Account, dispatch_uid="forget_sessions_of_account")
def _forget_sessions(created: bool = False, update_fields: Collection[str] | None = None, **_: Any) -> None:
    """Where what sessions depend on may have changed: a new picture or name ends nobody's."""
    if not created and (update_fields is None or not DECISIVE.isdisjoint(update_fields)):
        _standings.invalidate(None)
