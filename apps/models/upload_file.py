"""UploadFile: a file somebody handed in; its bytes lie in the storage under ``key``."""

from __future__ import annotations

from django.db import models

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App
from .end_user import EndUser


class UploadFileQuerySet(TenantQuerySet["UploadFile"]):
    app_lookup = "app_id"


class UploadFile(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="upload_files", null=True, blank=True)
    key = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField(help_text="Bytes.")
    extension = models.CharField(max_length=32, blank=True, default="", help_text="Without the dot.")
    mime_type = models.CharField(max_length=255)
    hash = models.CharField(max_length=64, help_text="SHA-256 of the bytes.")
    created_by_role = models.CharField(max_length=16, default="end_user")
    end_user = models.ForeignKey(EndUser, on_delete=models.SET_NULL, null=True, blank=True, related_name="upload_files")
    account_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = UploadFileQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name
