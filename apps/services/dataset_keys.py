"""The workspace's keys for the Knowledge API: a few at most, each shown once."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from accounts.models import Tenant
from apps.models import ApiToken
from apps.models.token import ApiTokenQuerySet, TokenKind
from difyproj.kernel import ids
from difyproj.kernel.principal import Principal

from . import tokens
from .app_keys import MOST, KeyNotFound, TooManyKeys


def rows(principal: Principal) -> list[ApiToken]:
    return list(_of(principal.tenant_id).order_by("-created_at", "-id"))


@transaction.atomic
def create(principal: Principal) -> tuple[ApiToken, str]:
    """The row and the key, which nobody can read again. Raises TooManyKeys."""
    tenant = Tenant.objects.select_for_update().get(pk=principal.tenant_id)
    if _of(tenant.pk).count() >= MOST:
        raise TooManyKeys
    return tokens.create(tenant=tenant, kind=TokenKind.DATASET)


def delete(principal: Principal, key_id: UUID | str) -> None:
    """The key is refused from now on. Raises KeyNotFound."""
    key = ids.parse(key_id)
    found = _of(principal.tenant_id).filter(pk=key).first() if key else None
    if found is None:
        raise KeyNotFound
    tokens.delete(found)


def _of(tenant_id: UUID) -> ApiTokenQuerySet:
    return ApiToken.objects.for_tenant(tenant_id).filter(kind=TokenKind.DATASET)
