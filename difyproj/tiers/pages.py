"""What every page of Django's own handler goes through: who acts is named for the audit log."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from difyproj.infra import audit
from difyproj.kernel import ids

from . import access_log

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
