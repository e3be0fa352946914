"""API tokens: made and shown once, found by their hash, checked without a query while warm."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Lock
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.models import Tenant
from accounts.models.tenant import TenantStatus
from apps.models import ApiToken, App, AppStatus
from apps.models.token import TokenKind
from difyproj.infra.cache import Cached
from difyproj.kernel import clock, secrets
from difyproj.kernel.errors import Forbidden, Unauthorized

PREFIXES = {TokenKind.APP: "app-", TokenKind.DATASET: "dataset-"}
SHOWN_CHARACTERS = 10
TOUCH_SECONDS = 60.0

_tokens: Cached[ApiToken | None] = Cached("api_tokens", ttl=300.0, max_entries=10_000)
_touched: dict[UUID, float] = {}
_touched_lock = Lock()


class AppAbnormal(Forbidden):
    code: ClassVar[str] = "app_abnormal_status"
    default_message = "The app's status is abnormal."


class AppApiDisabled(Forbidden):
    code: ClassVar[str] = "app_api_disabled"
    default_message = "The app's API service has been disabled."


class WorkspaceArchived(Forbidden):
    code: ClassVar[str] = "workspace_archived"
    default_message = "The workspace of this key is archived."


@transaction.atomic
def create(*, tenant: Tenant, app: App | None = None, kind: str = TokenKind.APP, name: str = "") -> tuple[ApiToken, str]:
    """The new row and the token itself, which nobody can read again."""
    raw = secrets.new_token(PREFIXES[TokenKind(kind)])
    row = ApiToken.objects.create(
        tenant=tenant, app=app, kind=kind, name=name, prefix=raw[:SHOWN_CHARACTERS], token_hash=secrets.hash_token(raw)
    )
    return row, raw


def set_active(token: ApiToken, *, is_active: bool) -> ApiToken:
    token.is_active = is_active
    token.save(update_fields=["is_active"])
    forget(token)
    return token


def delete(token: ApiToken) -> None:
    token.delete()
    forget(token)


def forget(token: ApiToken) -> None:
    """Drop what the processes remember of the token, once the change is committed."""
    _tokens.invalidate(token.token_hash)


@receiver(post_save, sender=App, dispatch_uid="forget_tokens_of_app")
@receiver(post_save, sender=Tenant, dispatch_uid="forget_tokens_of_tenant")
def forget_all(**_: Any) -> None:
    """Drop every remembered token: an app or tenant behind some of them changed, by whatever way."""
    _tokens.invalidate(None)


def authenticate(raw: str, *, kind: str) -> ApiToken:
    """The live token row with its app and tenant. Raises Unauthorized, or Forbidden where app or workspace refuse."""
    digest = secrets.hash_token(raw)
    token = _tokens.get(digest, lambda: _load(digest))
    if token is None or token.kind != kind or not token.is_active:
        raise Unauthorized
    demand_open(token.tenant, token.app)
    _touch(token)
    return token


def demand_open(tenant: Tenant, app: App | None) -> None:
    """Raises WorkspaceArchived, AppAbnormal or AppApiDisabled for what answers nobody from outside."""
    if tenant.status != TenantStatus.NORMAL:
        raise WorkspaceArchived
    if app is None:
        return
    if app.status != AppStatus.NORMAL:
        raise AppAbnormal
    if not app.enable_api:
        raise AppApiDisabled


def _load(digest: str) -> ApiToken | None:
    return ApiToken.objects.select_related("tenant", "app").filter(token_hash=digest).first()


def _touch(token: ApiToken) -> None:
    """Write ``last_used_at`` at most once a minute and process."""
    now = time.monotonic()
    with _touched_lock:
        if now - _touched.get(token.pk, -TOUCH_SECONDS) < TOUCH_SECONDS:
            return
        _touched[token.pk] = now
    moment = clock.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=moment - timedelta(seconds=TOUCH_SECONDS))
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=moment)
