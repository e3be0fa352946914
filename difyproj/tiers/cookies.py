"""The cookies of sign-in: which names they have, how they are set, read and cleared."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from accounts.services.sessions import Tokens

ACCESS: Final = "access_token"
REFRESH: Final = "refresh_token"
CSRF: Final = "csrf_token"
WEB_ACCESS: Final = "webapp_access_token"
HOST_PREFIX: Final = "__Host-"
HEADER_CSRF: Final = "X-CSRF-Token"


def name(bare: str) -> str:
    """Browsers keep other hosts from setting a ``__Host-`` cookie; they want it over HTTPS and without a domain."""
    return f"{HOST_PREFIX}{bare}" if settings.SESSION_COOKIE_SECURE and not settings.COOKIE_DOMAIN else bare


def read(request: Request, bare: str) -> str:
    return str(request.COOKIES.get(name(bare)) or "")


def set_console(response: HttpResponseBase, tokens: Tokens) -> None:
    refresh_life = timedelta(days=settings.REFRESH_TOKEN_EXPIRE_DAYS)
    access_life = timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES)
    put(response, ACCESS, tokens.access, access_life)
    put(response, REFRESH, tokens.refresh, refresh_life)
    put(response, CSRF, tokens.csrf, access_life, for_scripts=True)


def set_web(response: HttpResponseBase, tokens: Tokens) -> None:
    put(response, WEB_ACCESS, tokens.access, timedelta(minutes=settings.ACCESS_TOKEN_EXPIRE_MINUTES))


def clear(response: Any, *bare: str) -> None:
    for each in bare:
        response.set_cookie(name(each), "", max_age=0, path="/", domain=settings.COOKIE_DOMAIN or None, samesite="Lax",
                            secure=settings.SESSION_COOKIE_SECURE, httponly=each != CSRF)  # fmt: skip


def clear_console(response: HttpResponseBase) -> None:
    clear(response, ACCESS, REFRESH, CSRF)


def put(response: Any, bare: str, value: str, life: timedelta, *, for_scripts: bool = False) -> None:
    response.set_cookie(
        name(bare),
        value,
        max_age=life,
        path="/",
        domain=settings.COOKIE_DOMAIN or None,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=not for_scripts,
        samesite="Lax",
    )
