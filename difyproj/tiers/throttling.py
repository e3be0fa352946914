"""Rates: how often a token may call, told to the caller in ``RateLimit-*`` headers and, over the limit, as a 429."""

from __future__ import annotations

from django.conf import settings
from rest_framework.request import Request

from apps.models import ApiToken
from difyproj.infra import limits
from difyproj.kernel.errors import TooManyRequests

from .access_log import Entry


def check_token(token: ApiToken, request: Request | None = None) -> None:
    """Count the call against its token's rate. Raises TooManyRequests with the seconds until the window ends."""
    usage = limits.count(group="api-token", key=str(token.pk), rate=settings.API_TOKEN_RATE)
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
