"""External knowledge APIs: where else a tenant's knowledge is asked for. Their keys are sealed, and opened only for a call."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, Prefetch, QuerySet, RestrictedError

from accounts.models import Tenant
from accounts.services import data_keys
from datasets.models import ExternalKnowledgeApi
from difyproj.kernel import ids, secrets
from difyproj.kernel.errors import Conflict, InvalidParam, NotFound
from difyproj.kernel.principal import Principal

from . import access

UNCHANGED: Final = "[__HIDDEN__]"
SCHEMES: Final = ("http", "https")


class ExternalApiNotFound(NotFound):
    default_message = "External knowledge API template not found."


class ExternalApiInUse(Conflict):
    default_message = "The external knowledge API is used by datasets."


def rows(principal: Principal, *, keyword: str = "") -> QuerySet[ExternalKnowledgeApi]:
    """The tenant's, each with how many datasets use it (``used``) and, as ``datasets``, those that the principal may see."""
    found = ExternalKnowledgeApi.objects.for_tenant(principal.tenant_id).annotate(used=Count("datasets"))
    found = found.prefetch_related(Prefetch("datasets", access.visible_to(principal)))
    return found.filter(name__icontains=keyword) if keyword else found


def get(principal: Principal, api_id: UUID | str) -> ExternalKnowledgeApi:
    """Raises ExternalApiNotFound."""
    key = ids.parse(api_id)
    found = rows(principal).filter(pk=key).first() if key else None
    if found is None:
        raise ExternalApiNotFound
    return found


@transaction.atomic
def create(*, principal: Principal, name: str, endpoint: str, api_key: str, description: str = "") -> ExternalKnowledgeApi:
    """Raises Forbidden, and InvalidParam for an address that is none."""
    access.demand_edit(principal)
    row = ExternalKnowledgeApi(
        tenant_id=principal.tenant_id, name=name, description=description, endpoint=_address(endpoint),
        created_by_id=principal.actor_id, updated_by_id=principal.actor_id,
    )  # fmt: skip
    row.sealed_key = _sealed(row, api_key)
    row.save(force_insert=True)
    return row


@transaction.atomic
def update(
    *,
    principal: Principal,
    row: ExternalKnowledgeApi,
    name: str | None = None,
    endpoint: str | None = None,
    api_key: str | None = None,
    description: str | None = None,
) -> ExternalKnowledgeApi:
    """A key that is ``UNCHANGED`` stays. Raises InvalidParam where it would go to another address than it was given for."""
    access.demand_edit(principal)
    # The tenant first, as where its key is renewed.
    Tenant.objects.select_for_update(no_key=True).get(pk=principal.tenant_id)
    found = ExternalKnowledgeApi.objects.for_tenant(principal.tenant_id).select_for_update().filter(pk=row.pk).first()
    if found is None:
        raise ExternalApiNotFound
    address = found.endpoint if endpoint is None else _address(endpoint)
    stays = api_key in (None, UNCHANGED, secrets.mask(opened_key(found)))
    if stays and found.sealed_key and _origin(address) != _origin(found.endpoint):
        raise InvalidParam("Please give the key again: it would be sent to another address.", params="api_key")
    found.endpoint = address
    found.sealed_key = found.sealed_key if stays else _sealed(found, api_key or "")
    found.name = found.name if name is None else name
    found.description = found.description if description is None else description
    found.updated_by_id = principal.actor_id
    found.save()
    return get(principal, found.pk)


def delete(*, principal: Principal, row: ExternalKnowledgeApi) -> None:
    """Raises ExternalApiInUse, Forbidden."""
    access.demand_edit(principal)
    try:
        with transaction.atomic():
            row.delete()
    except (RestrictedError, IntegrityError) as error:
        raise ExternalApiInUse from error


def opened_key(row: ExternalKnowledgeApi) -> str:
    """The key itself, for a call. Never for an answer, a log or a page."""
    if not row.sealed_key:
        return ""
    key = data_keys.open_key(Tenant.objects.get(pk=row.tenant_id))
    return secrets.unseal(key, b64decode(row.sealed_key), context=_context(row)).decode()


def reseal(tenant: Tenant, old: bytes, new: bytes) -> int:
    """Part of the renewal of a tenant's key."""
    found = list(ExternalKnowledgeApi.objects.for_tenant(tenant).exclude(sealed_key="").select_for_update())
    for row in found:
        plain = secrets.unseal(old, b64decode(row.sealed_key), context=_context(row))
        row.sealed_key = b64encode(secrets.seal(new, plain, context=_context(row))).decode()
        row.save(update_fields=["sealed_key", "updated_at"])
    return len(found)


def _sealed(row: ExternalKnowledgeApi, api_key: str) -> str:
    """Sealed under the tenant's key as it is now: the lock keeps a renewal of the key from passing in between."""
    if not api_key:
        return ""
    key = data_keys.open_key(Tenant.objects.select_for_update(no_key=True).get(pk=row.tenant_id))
    return b64encode(secrets.seal(key, api_key.encode(), context=_context(row))).decode()


def _context(row: ExternalKnowledgeApi) -> bytes:
    return f"{row._meta.label_lower}:{row.tenant_id}:{row.pk}".encode()


def _address(endpoint: str) -> str:
    address = endpoint.strip().rstrip("/")
    if _origin(address) is None:
        raise InvalidParam("The endpoint must be an address that begins with http:// or https://.", params="endpoint")
    return address


def _origin(address: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return (parts.scheme.lower(), parts.netloc.lower()) if parts.scheme.lower() in SCHEMES and parts.hostname else None
