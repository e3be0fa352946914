"""Passports: what a published page's visitor presents. A passport names the site and the end user it was made for.

Where the app is for members only, it also names the member and their session, and both are asked again at each use, whatever
the app is then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import jwt
from django.conf import settings
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import SessionScope, Tenant, TenantStatus
from accounts.services import members, sessions
from accounts.services.sessions import Caller
from apps.models import AccessMode, App, AppStatus, EndUser, Site
from difyproj.infra.cache import Cached
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import BadRequest, Forbidden, NotFound, Unauthorized
from difyproj.kernel.principal import ActorKind, Principal, Tier

from . import end_users

ALGORITHM: Final = "HS256"
ISSUER: Final = "SELF_HOSTED"
SUBJECT: Final = "Web API Passport"
CLAIMS: Final = ["sub", "app_id", "app_code", "end_user_id"]
VISITOR_TYPE: Final = "browser"
# Visitors choose their own name: members are people of another kind, so that nobody can take a member's place by a name.
MEMBER_TYPE: Final = "member"


class SiteNotFound(NotFound):
    default_message = "The site does not exist, or it is switched off."


class WorkspaceArchived(Forbidden):
    default_message = "The workspace is archived."


class AuthRequired(Unauthorized):
    code = "web_app_auth_required"
    default_message = "This app is for signed-in members. Please sign in."


class AccessDenied(Unauthorized):
    code = "web_app_access_denied"
    default_message = "You do not have permission to use this app."


@dataclass(frozen=True, slots=True)
class Visit:
    """A checked passport. ``member`` is set where a sign-in stands behind it, as it must where the app is for members only."""

    site: Site
    end_user: EndUser
    member: Caller | None = None

    @property
    def app(self) -> App:
        return self.site.app

    @property
    def principal(self) -> Principal:
        return Principal(self.app.tenant_id, ActorKind.END_USER, self.end_user.pk, Tier.WEB, self.app.pk)


_sites: Cached[Site | None] = Cached("sites", ttl=300.0, max_entries=10_000)


def site_of(code: str) -> Site | None:
    """The site of this code with its app and tenant, whatever their state. Shared between threads: not to be changed."""
    return _sites.get(code, lambda: _load(code))


def issue(code: str, *, user_id: str = "", member: Caller | None = None) -> str:
    """A passport for a visitor of the site; ``user_id`` names one who came before. Raises SiteNotFound, AuthRequired."""
    site = site_of(code)
    if site is None or not is_open(site):
        raise SiteNotFound
    claims: dict[str, Any] = {}
    if site.app.access_mode == AccessMode.PRIVATE_ALL:
        member = _admitted(site, member)
        account_id = str(member.account_id)
        visitor = end_users.resolve(site.app, account_id, type=MEMBER_TYPE)
        claims = {
            "user_id": account_id, "session_id": str(member.session_id), "token_source": "webapp_login_token",
            "auth_type": "internal", "granted_at": clock.epoch(clock.now()),
        }  # fmt: skip
    else:
        visitor = end_users.resolve(site.app, user_id or str(ids.new_id()), type=VISITOR_TYPE, anonymous=not user_id)
    claims |= {"iss": ISSUER, "sub": SUBJECT, "app_id": str(site.app_id), "app_code": code, "end_user_id": str(visitor.pk)}
    return jwt.encode(claims, settings.SECRET_KEY, algorithm=ALGORITHM)


def authenticate(passport: str, *, code: str = "") -> Visit:
    """Who visits; no query while warm. ``code`` is the site that the caller says it is at.

    Raises Unauthorized for a passport that is not good, WorkspaceArchived, BadRequest when the site is off, NotFound without
    its end user.
    """
    claims = _claims(passport)
    if code and claims["app_code"] != code:
        raise Unauthorized("The passport belongs to another app.")
    site = site_of(str(claims["app_code"]))
    if site is None or str(site.app_id) != claims["app_id"]:
        raise Unauthorized("The passport's site is gone.")
    if site.app.tenant.status != TenantStatus.NORMAL:
        raise WorkspaceArchived
    if not is_open(site):
        raise BadRequest("Site is disabled.")
    key = ids.parse(claims["end_user_id"])
    end_user = end_users.of_app(site.app, key) if key else None
    if end_user is None:
        raise NotFound("The end user does not exist.")
    return Visit(site, end_user, _member_of(site, claims))


def still_good(passport: str) -> bool:
    """For open streams and sockets: whether the passport would still be taken."""
    try:
        authenticate(passport)
    except (Unauthorized, BadRequest, NotFound, Forbidden):
        return False
    return True


def _member_of(site: Site, claims: dict[str, Any]) -> Caller | None:
    """The member whom the passport names. Theirs ends with their session, even where the page is open to all by now."""
    if site.app.access_mode != AccessMode.PRIVATE_ALL and "session_id" not in claims:
        return None
    account_id, session_id = ids.parse(claims.get("user_id")), ids.parse(claims.get("session_id"))
    return _admitted(site, Caller(account_id, session_id) if account_id and session_id else None)


def _admitted(site: Site, member: Caller | None) -> Caller:
    if member is None or not sessions.is_alive(member.session_id, member.account_id, scope=SessionScope.WEB_APP):
        raise AuthRequired
    if not members.is_member(member.account_id, site.app.tenant_id):
        raise AccessDenied
    return member


def is_open(site: Site) -> bool:
    """Whether the page of the site is served at all."""
    app = site.app
    return app.status == AppStatus.NORMAL and app.enable_site and app.tenant.status == TenantStatus.NORMAL


def _claims(passport: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            passport, settings.SECRET_KEY, algorithms=[ALGORITHM], issuer=ISSUER, options={"require": CLAIMS}
        )
    except (jwt.InvalidTokenError, ValueError) as error:
        raise Unauthorized("The passport is not valid.") from error
    if claims["sub"] != SUBJECT:
        raise Unauthorized("The passport is not valid.")
    return claims


def _load(code: str) -> Site | None:
    return Site.objects.select_related("app__tenant").filter(code=code).first()


@receiver((post_save, post_delete), sender=Site, dispatch_uid="forget_site")
@receiver((post_save, post_delete), sender=App, dispatch_uid="forget_sites_of_app")
@receiver((post_save, post_delete), sender=Tenant, dispatch_uid="forget_sites_of_tenant")
def _forget(**_: Any) -> None:
    _sites.invalidate(None)
