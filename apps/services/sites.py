"""Sites: the public face of an app."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from apps.models import App, Site
from difyproj.infra.cache import Cached
from difyproj.kernel.errors import Forbidden

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


def names_origin(origin: str) -> bool:
    """Whether any site names this origin as one whose pages may call it; no query while warm."""
    return origin in _origins.get("", _load_origins)


def _load_origins() -> frozenset[str]:
    lists = Site.objects.exclude(cors_origins=[]).values_list("cors_origins", flat=True)
    return frozenset(origin for origins in lists for origin in origins)


@receiver((post_save, post_delete), sender=Site, dispatch_uid="forget_origins_of_sites")
def _forget_origins(**_: Any) -> None:
    _origins.invalidate(None)
