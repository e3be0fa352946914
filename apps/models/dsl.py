"""What imports of app files leave behind: the one that waits to be confirmed, and what of a file no other row holds."""

from __future__ import annotations

from django.db import models

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App


class PendingImportQuerySet(TenantQuerySet["PendingImport"]):
    pass


class PendingImport(models.Model):
    """A file of a newer DSL: it becomes an app when somebody of the workspace confirms it before ``expires_at``.

    Its text stands in ``sealed``, encrypted with the tenant's data key: files may hold secrets.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    sealed = models.BinaryField(editable=False)
    looks = models.JSONField(default=dict, help_text="What the app is to be called instead, and how it looks.")
    app_id = models.UUIDField(null=True, blank=True, help_text="The app that is to be overwritten.")
    created_by_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(db_index=True)

    objects = PendingImportQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=["tenant", "-created_at"])]

    def __str__(self) -> str:
        return str(self.pk)


class DslLeftoversQuerySet(TenantQuerySet["DslLeftovers"]):
    tenant_lookup = "app__tenant_id"
    app_lookup = "app_id"


class DslLeftovers(models.Model):
    """Fields of an imported file that this house does not know, and its plug-ins: an export writes them back."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    app = models.OneToOneField(App, on_delete=models.CASCADE, related_name="dsl_leftovers")
    parts = models.JSONField(default=dict)

    objects = DslLeftoversQuerySet.as_manager()

    def __str__(self) -> str:
        return str(self.app_id)
