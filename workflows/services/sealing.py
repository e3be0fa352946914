"""What rows of graphs keep secret, sealed with the tenant's data key and bound to the row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from accounts.models import Tenant
from accounts.services import data_keys
from difyproj.kernel import jsonio, secrets
from workflows.models import HumanInputForm, Trigger, Workflow

Sealed = Workflow | HumanInputForm | Trigger
BATCH: Final = 500


def key_of(tenant_id: Any) -> bytes:
    """The tenant's key as it is now, for sealing: the lock keeps a renewal from passing in between. In a transaction.

    It lets those through who only write rows of the tenant.
    """
    return data_keys.open_key(Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id))


def seal(row: Sealed, value: Any, *, key: bytes) -> bytes:
    """JSON-like ``value``, to be kept in the row's ``sealed``."""
    return secrets.seal(key, jsonio.dumps(value), context=_context(row))


def unseal(row: Sealed) -> Any:
    """What the row's ``sealed`` holds, None where it is empty. Reads the tenant where the row came without it."""
    if not row.sealed:
        return None
    return jsonio.loads(secrets.unseal(data_keys.open_key(row.tenant), bytes(row.sealed), context=_context(row)))


def reseal(tenant: Tenant, old: bytes, new: bytes) -> int:
    """Part of the renewal of a tenant's key."""
    done = 0
    for row in _sealed_rows(tenant):
        context = _context(row)
        sealed = secrets.seal(new, secrets.unseal(old, bytes(row.sealed), context=context), context=context)
        done += type(row)._default_manager.filter(pk=row.pk).update(sealed=sealed)
    return done


def _sealed_rows(tenant: Tenant) -> Iterator[Sealed]:
    for model in (Workflow, HumanInputForm, Trigger):
        rows: Any = model._default_manager.filter(tenant=tenant).exclude(sealed=b"").only("tenant_id", "sealed")
        yield from rows.iterator(chunk_size=BATCH)


def _context(row: Sealed) -> bytes:
    return f"{row._meta.label_lower}:{row.tenant_id}:{row.pk}".encode()
