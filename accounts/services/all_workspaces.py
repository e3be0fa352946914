"""Every workspace of the instance, for whoever runs it."""

from __future__ import annotations

from accounts.models import Account, Tenant
from difyproj.infra.paging import Page, page_of
from difyproj.kernel.errors import Forbidden


class SystemAdminRequired(Forbidden):
    code = "system_admin_required"
    default_message = "Only an administrator of the instance may do this."


def page(asker: Account, *, page: int, limit: int) -> Page[Tenant]:
    """Newest first. Raises SystemAdminRequired."""
    if not asker.is_superuser:
        raise SystemAdminRequired
    return page_of(Tenant.objects.order_by("-created_at", "-id"), page=page, limit=limit)
