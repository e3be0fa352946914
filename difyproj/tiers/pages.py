"""What every page of Django's own handler goes through: who acts is named for the audit log, what scripts may do is said."""

from __future__ import annotations

from collections.abc import Callable

from csp.middleware import CSPMiddleware, PolicyParts
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from difyproj.infra import audit
from difyproj.kernel import ids

from . import access_log

ADMIN = "/admin/"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def name_the_actor(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware, after the authentication. A page that only reads asks nobody who they are."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request_id = request.headers.get("X-Request-ID", "")[:128] or str(ids.new_id())
        address = access_log.plain_address(request.META.get("REMOTE_ADDR") or "")
        request.META["REMOTE_ADDR"] = address or ""
        audit.begin(ip=address, request_id=request_id)
        if request.method not in SAFE_METHODS and request.user.is_authenticated:
            audit.identify_as("operator", request.user.pk)
        return get_response(request)

    return middleware


class PagePolicy(CSPMiddleware):
    """The Content-Security-Policy of a page; the admin's theme needs a looser one than pages that strangers are led to."""

    def get_policy_parts(self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if request.path_info.startswith(ADMIN):
            parts.update = {**(parts.update or {}), **settings.ADMIN_DIRECTIVES}
        return parts
