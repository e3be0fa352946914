"""Who may open a published app: asked by its page before there is a passport."""

from __future__ import annotations

from accounts.services import members
from accounts.services.sessions import Caller
from apps.models import AccessMode, App, Site
from difyproj.kernel import ids
from difyproj.kernel.errors import BadRequest, DomainError

from . import passports
from .apps import AppNotFound


def mode_of(*, app_id: str = "", code: str = "") -> str:
    """The app's access mode, by its id or its site's code. Raises BadRequest without either, AppNotFound."""
    if not (app_id or code):
        raise BadRequest("appId or appCode must be given.")
    return str(_app(app_id=app_id, code=code).access_mode)


def admits(app_id: str, caller: Caller | None) -> bool:
    """Whether the caller, or anybody where the app is public, may use it. Raises AppNotFound."""
    app = _app(app_id=app_id)
    if app.access_mode == AccessMode.PUBLIC:
        return True
    return caller is not None and members.is_member(caller.account_id, app.tenant_id)


def needs_sign_in(code: str) -> bool:
    """Whether the site of this code is for members only. Raises AppNotFound."""
    return _app(code=code).access_mode != AccessMode.PUBLIC


def has_passport(passport: str, code: str) -> bool:
    """Whether the passport would be taken at the site of this code."""
    try:
        passports.authenticate(passport, code=code)
    except DomainError:
        return False
    return True


def _app(*, app_id: str = "", code: str = "") -> App:
    """By an unguessable id or code, which the visitor's link holds; no tenant is asked as there is no principal yet."""
    if code:
        site = passports.site_of(code)
    else:
        key = ids.parse(app_id)
        site = Site.objects.select_related("app__tenant").filter(app_id=key).first() if key else None
    if site is None or not passports.is_open(site):
        raise AppNotFound
    return site.app
