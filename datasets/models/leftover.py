"""Leftover: what a deletion has still to take out of an index and out of the storage, written in its transaction."""

from __future__ import annotations

from django.db import models

from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class LeftoverRows(TenantQuerySet["Leftover"]):
    """Leftovers, fetched by tenant."""


class Leftover(models.Model):
    """It names things that have no rows any more, so it points at none."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant_id = models.UUIDField()
    dataset_id = models.UUIDField()
    store = models.CharField(max_length=32, blank=True, default="")
    generations = models.JSONField(default=list, help_text="Of the index: number and dimensions.")
    is_whole = models.BooleanField(default=False, help_text="The generations go as a whole.")
    documents = models.JSONField(default=list, help_text="Whose entries go.")
    nodes = models.JSONField(default=list, help_text="Entries that go.")
    keys = models.JSONField(default=list, help_text="Of bytes in the storage.")
    created_at = models.DateTimeField(default=clock.now, editable=False, db_index=True)

    objects = LeftoverRows.as_manager()

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.dataset_id} {self.pk}"
