"""Rates: how often a token or visitor may call, told to the caller in ``RateLimit-*`` headers and, over the limit, as a 429."""

from __future__ import annotations

from django.conf import settings
from rest_framework.request import Request

from apps.models import ApiToken
from difyproj.infra import limits
from difyproj.kernel.errors import TooManyRequests
from difyproj.kernel.principal import Principal

from .access_log import Entry


def check_token(token: ApiToken, request: Request | None = None) -> None:
    """Count the call against its token's rate. Raises TooManyRequests with the seconds until the window ends."""
    _check(limits.count(group="api-token", key=str(token.pk), rate=settings.API_TOKEN_RATE), request)


def check_visitor(visitor: Principal, request: Request | None = None, *, group: str = "web-generation") -> None:
    """The same for a visitor of a page: what calls a model counts, and reading costs nothing."""
    _check(limits.count(group=group, key=str(visitor.actor_id), rate=settings.WEB_USER_RATE), request)


def _check(usage: limits.Usage | None, request: Request | None) -> None:
    if usage is None:
        return
    log: Entry | None = getattr(request and request._request, "access_log", None)
    if log is not None:
        log.headers |= {
            "RateLimit-Limit": str(usage.limit),
            "RateLimit-Remaining": str(usage.remaining),
            "RateLimit-Reset": str(usage.reset_seconds),
        }
    if usage.limited:
        raise TooManyRequests(retry_after=usage.reset_seconds)
