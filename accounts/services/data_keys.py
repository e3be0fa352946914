"""A tenant's data key: made with the tenant, stored only wrapped by the instance key, renewed on demand.

While the instance key is being changed, a key wrapped by one of ``INSTANCE_KEYS_PREVIOUS`` can still be opened.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from accounts.models import ModelCredential, Tenant
from difyproj.kernel import secrets

Reseal = Callable[[Tenant, bytes, bytes], int]
"""Seals what a room keeps of the tenant again, from the old key to the new one; answers how many values that were."""
_rooms: dict[str, Reseal] = {}


def also_seals(room: str, reseal: Reseal) -> None:
    """A room above has values of its own under the tenants' keys."""
    _rooms[room] = reseal


def new_wrapped(tenant_id: uuid.UUID) -> bytes:
    """A fresh data key for the tenant, wrapped by the present instance key."""
    return secrets.wrap_key(settings.INSTANCE_KEY, secrets.new_data_key(), context=_context(tenant_id))


def open_key(tenant: Tenant) -> bytes:
    """The tenant's data key. Raises secrets.Unreadable when no instance key that we have opens it."""
    return _open(tenant)[0]


@transaction.atomic
def rewrap(tenant_id: uuid.UUID) -> bool:
    """Wrap the same data key with the present instance key; False when it is so already."""
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    key, is_present = _open(tenant)
    if is_present:
        return False
    tenant.data_key = secrets.wrap_key(settings.INSTANCE_KEY, key, context=_context(tenant.pk))
    tenant.save(update_fields=["data_key", "updated_at"])
    return True


@transaction.atomic
def renew(tenant_id: uuid.UUID) -> int:
    """A new data key, and every value that the tenant's key seals sealed again, all or nothing. Answers how many were."""
    tenant = Tenant.objects.select_for_update().get(pk=tenant_id)
    old, new = open_key(tenant), secrets.new_data_key()
    rows = list(ModelCredential.objects.select_for_update().for_tenant(tenant))
    for row in rows:
        context = sealing_context(row)
        row.sealed = secrets.seal(new, secrets.unseal(old, bytes(row.sealed), context=context), context=context)
        row.save(update_fields=["sealed", "updated_at"])
    elsewhere = sum(reseal(tenant, old, new) for reseal in _rooms.values())
    tenant.data_key = secrets.wrap_key(settings.INSTANCE_KEY, new, context=_context(tenant.pk))
    tenant.save(update_fields=["data_key", "updated_at"])
    return len(rows) + elsewhere


def sealing_context(credential: ModelCredential) -> bytes:
    """Binds a sealed value to its row, so that it cannot be moved to another tenant or credential."""
    return f"credential:{credential.tenant_id}:{credential.pk}".encode()


def _context(tenant_id: uuid.UUID) -> bytes:
    return f"tenant:{tenant_id}".encode()


def _open(tenant: Tenant) -> tuple[bytes, bool]:
    """(data key, whether the present instance key wraps it)."""
    for instance_key in (settings.INSTANCE_KEY, *settings.INSTANCE_KEYS_PREVIOUS):
        try:
            key = secrets.unwrap_key(instance_key, bytes(tenant.data_key), context=_context(tenant.pk))
        except secrets.Unreadable:
            continue
        return key, instance_key == settings.INSTANCE_KEY
    raise secrets.Unreadable(f"No instance key of this installation opens the data key of tenant {tenant.pk}.")
