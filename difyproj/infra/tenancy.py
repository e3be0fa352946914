"""Querysets of rows that belong to a tenant: they are reached through it, never by id alone."""

from __future__ import annotations

from typing import Any, Self, TypeVar
from uuid import UUID

from django.db import models

from difyproj.kernel.principal import Principal

Row = TypeVar("Row", bound=models.Model, covariant=True)


class TenantQuerySet(models.QuerySet[Row]):
    """``tenant_lookup`` is the path from the row to its tenant's id; ``app_lookup`` the path to its app's id, if it has one."""

    tenant_lookup = "tenant_id"
    app_lookup: str | None = None

    def for_tenant(self, tenant: Any) -> Self:
        """Rows of ``tenant``, which is a tenant row or its id."""
        return self.filter(**{self.tenant_lookup: tenant if isinstance(tenant, UUID | str) else tenant.pk})

    def visible_to(self, principal: Principal) -> Self:
        """Rows of the principal's tenant and, where its credential binds an app, of that app."""
        rows = self.for_tenant(principal.tenant_id)
        if principal.app_id is not None and self.app_lookup:
            rows = rows.filter(**{self.app_lookup: principal.app_id})
        return rows
