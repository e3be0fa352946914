"""Sites: the public face of an app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from apps import config as app_config
from apps.models import App, Site
from apps.models.app import new_site_code
from difyproj.infra.cache import Cached
from difyproj.kernel.errors import Forbidden

from . import apps

PUBLIC_PROMPT = (
    "opening_statement", "suggested_questions", "suggested_questions_after_answer", "more_like_this", "model",
    "user_input_form", "pre_prompt",
)  # fmt: skip

_origins: Cached[frozenset[str]] = Cached("site_origins", ttl=300.0, max_entries=1)


def of(app: App) -> Site:
    """The app's site. Raises Forbidden for an app without one, as the contract has it."""
    site = Site.objects.for_tenant(app.tenant_id).filter(app=app).first()
    if site is None:
        raise Forbidden("The app has no site.")
    return site


@transaction.atomic
def update(site: Site, **changes: Any) -> Site:
    for name, value in changes.items():
        setattr(site, name, value)
    site.save(update_fields=[*changes, "updated_at"])
    return site


def public_prompt(app: App) -> dict[str, Any]:
    """What a page with a public prompt shows of its app's configuration."""
    whole = app_config.dump(apps.configuration(app), complete=True)
    return {name: whole[name] for name in PUBLIC_PROMPT}


@transaction.atomic
def configure(app: App, changes: Mapping[str, Any], *, by: UUID) -> Site:
    """Save what a builder set up. Who may open the page is a setting of the app."""
    site, kept = of(app), dict(changes)
    access_mode = kept.pop("access_mode", app.access_mode)
    if access_mode != app.access_mode:
        apps.update(app, access_mode=access_mode, updated_by_id=by)
    site.app = app
    return update(site, **kept)


def reset_code(app: App) -> Site:
    """A new code: the page's old address, and every passport made for it, is good for nothing any more."""
    site = of(app)
    site.app = app
    return update(site, code=new_site_code())


def names_origin(origin: str) -> bool:
    """Whether any site names this origin as one whose pages may call it; no query while warm."""
    return origin in _origins.get("", _load_origins)


def _load_origins() -> frozenset[str]:
    lists = Site.objects.exclude(cors_origins=[]).values_list("cors_origins", flat=True)
    return frozenset(origin for origins in lists for origin in origins)


@receiver((post_save, post_delete), sender=Site, dispatch_uid="forget_origins_of_sites")
def _forget_origins(**_: Any) -> None:
    _origins.invalidate(None)
