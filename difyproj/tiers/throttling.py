"""Rates: how often a token, a visitor or a place may call: told in ``RateLimit-*`` headers and, over the limit, as a 429."""

from __future__ import annotations

from django.conf import settings
from rest_framework.request import Request

from accounts.models import Tenant
from apps.models import ApiToken
from apps.services.passports import Visit
from datasets.services.refusals import RateExceeded
from difyproj.infra import limits
from difyproj.kernel.errors import TooManyRequests

from .access_log import Entry


def check_token(token: ApiToken, request: Request | None = None) -> None:
    """Count the call against its token's rate. Raises TooManyRequests with the seconds until the window ends."""
    _check(limits.count(group="api-token", key=str(token.pk), rate=settings.API_TOKEN_RATE), request)


def check_knowledge(tenant: Tenant) -> None:
    """Count a request to a workspace's knowledge against what its plan allows. Raises RateExceeded."""
    usage = limits.count(group="knowledge", key=str(tenant.pk), rate=settings.KNOWLEDGE_RATES.get(tenant.plan, ""))
    if usage is not None and usage.limited:
        raise RateExceeded


def check_visitor(visit: Visit, ip: str | None, request: Request | None = None, *, group: str = "web-generation") -> None:
    """The same for a visitor of a page: what calls a model or keeps something counts, and reading costs nothing.

    Another passport is to be had for the asking: where it takes no sign-in, those who come from one place count together, too.
    """
    _check(limits.count(group=group, key=str(visit.end_user.pk), rate=settings.WEB_USER_RATE), request)
    place = limits.place(ip)
    if place and visit.member is None:
        _check(limits.count(group=f"{group}-from", key=f"{visit.app.pk} {place}", rate=settings.WEB_PLACE_RATE))


def check_newcomer(ip: str | None, request: Request | None = None, *, group: str = "web-passport") -> None:
    """The same for callers who are nobody yet, by where they are."""
    place = limits.place(ip)
    if place:
        _check(limits.count(group=group, key=place, rate=settings.WEB_PASSPORT_RATE), request)


def _check(usage: limits.Usage | None, request: Request | None = None) -> None:
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
