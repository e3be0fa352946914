"""DraftVariable: what an author changed of the values that the variables of a draft hold."""

from __future__ import annotations

from django.db import models

from accounts.models import Tenant
from apps.models import App
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class DraftVariableQuerySet(TenantQuerySet["DraftVariable"]):
    app_lookup = "app_id"


class DraftVariable(models.Model):
    """Counts until a run gives the variable another value. ``scope`` is a node's id, ``sys`` or ``conversation``.

    Without a ``name`` it says that all of a scope was taken away at that moment, without a ``scope`` too that everything was.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="+", db_index=False)
    scope = models.CharField(max_length=255, blank=True, default="")
    name = models.CharField(max_length=255, blank=True, default="")
    value = models.JSONField(null=True, blank=True)
    is_removed = models.BooleanField(default=False)
    changed_at = models.DateTimeField(default=clock.now)

    objects = DraftVariableQuerySet.as_manager()

    class Meta:
        ordering = ("changed_at", "id")
        constraints = [models.UniqueConstraint(fields=["app", "scope", "name"], name="draft_variable_once")]

    def __str__(self) -> str:
        return ".".join(filter(None, (self.scope, self.name))) or "everything"
