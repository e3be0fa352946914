"""Sites: the public face of an app."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from apps.models import App, Site
from difyproj.kernel.errors import Forbidden


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
