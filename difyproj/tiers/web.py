"""The Web API's base: a visitor of a published page, known by a passport."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import SessionScope
from accounts.services import sessions
from accounts.services.sessions import Caller
from apps.models import App, EndUser, Site
from apps.services import passports
from apps.services.passports import Visit
from difyproj.kernel import logs
from difyproj.kernel.errors import DomainError, NotChatApp, Unauthorized
from difyproj.kernel.principal import Principal

from . import cookies
from .authentication import bearer
from .base import TierViewSet
from .schema import WebSchema

HEADER_CODE = "X-App-Code"
HEADER_PASSPORT = "X-App-Passport"
CODE_PARAMETER = OpenApiParameter(HEADER_CODE, str, OpenApiParameter.HEADER, required=True, description="The site's code.")


def passport_of(request: Request) -> str:
    """The passport: a header of its own, the site's cookie, or Bearer, in this order. Raises Unauthorized."""
    code = request.headers.get(HEADER_CODE, "")
    given = request.headers.get(HEADER_PASSPORT) or (cookies.read(request, f"passport-{code}") if code else "")
    return given or bearer(request.headers.get("Authorization"))


def member_of(request: Request) -> Caller | None:
    """Who has signed in to pages for members: Bearer, or the sign-in's cookie beside any Bearer. None for anybody else."""
    header = request.headers.get("Authorization") or ""
    for token in (header.partition(" ")[2].strip(), cookies.read(request, cookies.WEB_ACCESS)):
        with suppress(Unauthorized):
            return sessions.authenticate(token, scope=SessionScope.WEB_APP)
    return None


class PassportAuthentication(BaseAuthentication):
    """``request.user`` becomes the visitor's principal, ``request.auth`` the visit."""

    def authenticate(self, request: Request) -> tuple[Principal, Visit]:
        visit = passports.authenticate(passport_of(request), code=request.headers.get(HEADER_CODE, ""))
        return visit.principal, visit

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class OpenWebViewSet(TierViewSet):
    """Web API routes for callers without a passport."""

    authentication_classes: Sequence[type[BaseAuthentication]] = ()
    schema = WebSchema()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """The site says whose pages may read the answer, a refusal of the passport included."""
        code = request.headers.get(HEADER_CODE, "").strip()
        self.let_in(passports.site_of(code) if code else None)
        super().initial(request, *args, **kwargs)

    def let_in(self, site: Site | None) -> None:
        log = getattr(self.request._request, "access_log", None)
        if log is not None and site is not None:
            log.site_origins = site.cors_origins

    @property
    def ip(self) -> str | None:
        log = getattr(self.request._request, "access_log", None)
        return log.ip_address or None if log is not None else None


class WebViewSet(OpenWebViewSet):
    """``modes`` are the app modes that the routes serve (None: all) and ``wrong_mode`` the refusal of others."""

    authentication_classes = (PassportAuthentication,)
    modes: ClassVar[frozenset[str] | None] = None
    wrong_mode: ClassVar[type[DomainError]] = NotChatApp

    @property
    def visit(self) -> Visit:
        visit: Visit = self.request.auth  # type: ignore[assignment]
        return visit

    @property
    def site(self) -> Site:
        return self.visit.site

    @property
    def app(self) -> App:
        return self.visit.app

    @property
    def end_user(self) -> EndUser:
        return self.visit.end_user

    @property
    def principal(self) -> Principal:
        principal: Principal = self.request.user  # type: ignore[assignment]
        return principal

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        logs.set_context(app_id=str(self.app.pk), user_id=str(self.end_user.pk))
        self.let_in(self.site)
        if self.modes is not None and self.app.mode not in self.modes:
            raise self.wrong_mode

    def still_allowed(self) -> Callable[[], bool] | None:
        """A check for open streams, where somebody's session stands behind the passport."""
        if self.visit.member is None:
            return None
        return partial(passports.still_good, passport_of(self.request))


def code_of(request: Request) -> str:
    """The site's code in its header. Raises Unauthorized without one."""
    code = request.headers.get(HEADER_CODE, "").strip()
    if not code:
        raise Unauthorized(f"The {HEADER_CODE} header is missing.")
    return code
