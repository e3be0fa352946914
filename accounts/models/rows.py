"""What every row of the accounts app has."""

from __future__ import annotations

from django.db import models

from difyproj.kernel import clock, ids


class Row(models.Model):
    """A UUID key and two times."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class TenantRow(Row):
    """A row that belongs to one tenant and goes when the tenant goes."""

    tenant = models.ForeignKey("accounts.Tenant", on_delete=models.CASCADE, related_name="+")

    class Meta:
        abstract = True
