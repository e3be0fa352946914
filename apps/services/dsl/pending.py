"""Files that wait to be confirmed: sealed, for ten minutes, the newest few of a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from accounts.models import Tenant
from accounts.services import data_keys
from apps.models import PendingImport
from difyproj.kernel import clock, ids, secrets

MINUTES: Final = 10
MOST: Final = 20


@transaction.atomic
def keep(
    *, tenant: Tenant, by: UUID | None, content: str | bytes, looks: Mapping[str, Any], app_id: UUID | None
) -> PendingImport:
    key, text = ids.new_id(), content.encode() if isinstance(content, str) else content
    row = PendingImport.objects.create(
        id=key,
        tenant=tenant,
        sealed=secrets.seal(data_keys.open_key(tenant), text, context=_context(tenant, key)),
        looks=dict(looks),
        app_id=app_id,
        created_by_id=by,
        expires_at=clock.now() + timedelta(minutes=MINUTES),
    )
    rows = PendingImport.objects.for_tenant(tenant)
    rows.filter(pk__in=list(rows.values_list("pk", flat=True)[MOST:])).delete()
    return row


def claim(*, tenant: Tenant, import_id: UUID | str) -> tuple[PendingImport, bytes] | None:
    """The row and its text, which nobody else gets any more; None for one that expired, was taken or never was."""
    key = ids.parse(import_id)
    if key is None:
        return None
    rows = PendingImport.objects.for_tenant(tenant).filter(pk=key, expires_at__gt=clock.now())
    row = rows.select_for_update().first()
    if row is None or not rows.delete()[0]:
        return None
    try:
        return row, secrets.unseal(data_keys.open_key(tenant), bytes(row.sealed), context=_context(tenant, row.pk))
    except secrets.Unreadable:
        return None  # the tenant's key was renewed meanwhile


def forget_expired() -> int:
    return PendingImport.objects.filter(expires_at__lt=clock.now()).delete()[0]


def _context(tenant: Tenant, key: UUID | None) -> bytes:
    return f"apps.pendingimport:{tenant.pk}:{key}".encode()
