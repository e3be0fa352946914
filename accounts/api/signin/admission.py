"""What a page answers when a provider has spoken: the session's cookies and the way home, the second factor, or a reason."""

from __future__ import annotations

import logging
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from allauth.socialaccount.providers.base.constants import AuthError
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.services import sign_in, social_sign_in
from accounts.services.identities import Identity
from accounts.services.second_factor import SecondFactorRequired
from accounts.services.sessions import Tokens
from accounts.services.sign_in import Visitor
from difyproj.kernel.errors import DomainError
from difyproj.tiers import cookies

from .client import ProviderFailed

logger = logging.getLogger(__name__)

PENDING: Final = "signin.second_factor"
HOME: Final = "/signin/done"
CANCELLED: Final = "The sign-in was cancelled."
FAILED: Final = "The sign-in failed. Please try again."


def answer(request: HttpRequest, identity: Identity, wishes: dict[str, Any]) -> HttpResponse:
    """``wishes`` are what the sign-in began with: an invitation, a language, where to go then."""
    invitation, language = wishes.get("invite_token", ""), wishes.get("language", "")
    try:
        tokens = social_sign_in.with_identity(identity, visitor=_visitor(request), invite_token=invitation, language=language)
    except SecondFactorRequired as error:
        request.session[PENDING] = {"token": error.data["token"], "next": wishes.get("next", "")}
        return HttpResponseRedirect("/signin/code")
    except DomainError as error:
        return refused(request, error.message)
    return _home(tokens, wishes.get("next", ""))


def second_factor(request: HttpRequest, code: str) -> HttpResponse:
    """Raises DomainError for a wrong code, which may be followed by another."""
    pending = request.session.get(PENDING) or {"token": "", "next": ""}
    tokens = sign_in.with_second_factor(token=pending["token"], code=code, visitor=_visitor(request))
    request.session.pop(PENDING, None)
    return _home(tokens, pending["next"])


def failed(request: HttpRequest, error: str | None, exception: Exception | None) -> HttpResponse:
    """The provider would not, could not, or was not asked by us. Its own words may hold secrets and are told to nobody."""
    if exception is not None:
        known = isinstance(exception, ProviderFailed)
        logger.warning("A sign-in provider failed: %s", exception if known else type(exception).__name__)
    return refused(request, CANCELLED if error == AuthError.CANCELLED else FAILED)


def refused(request: HttpRequest, message: str) -> HttpResponse:
    """Told by the operator's console, or by our own page; that one takes no message from an address."""
    if settings.CONSOLE_WEB_URL:
        return HttpResponseRedirect(f"{settings.CONSOLE_WEB_URL}/signin?{urlencode({'message': message})}")
    return entrance(request, message)


def entrance(request: HttpRequest, message: str = "") -> HttpResponse:
    providers = settings.SIGN_IN_PROVIDERS.values()
    shown = {"providers": providers, "message": message}
    return render(request, "signin/entrance.html", shown, status=403 if message else 200)


def checked_target(url: str) -> str:
    """Where to go after signing in, if it is the console or this host itself; else nothing, so that no link leads away."""
    hosts = {urlsplit(place).netloc for place in (settings.PUBLIC_URL, settings.CONSOLE_WEB_URL) if place}
    secure = settings.PUBLIC_URL.startswith("https:")
    return url if url_has_allowed_host_and_scheme(url, allowed_hosts=hosts, require_https=secure) else ""


def _home(tokens: Tokens, target: str) -> HttpResponse:
    response = HttpResponseRedirect(target or settings.CONSOLE_WEB_URL or HOME)
    cookies.set_console(response, tokens)
    return response


def _visitor(request: HttpRequest) -> Visitor:
    return Visitor(ip=request.META.get("REMOTE_ADDR") or None, agent=request.headers.get("User-Agent", ""))
