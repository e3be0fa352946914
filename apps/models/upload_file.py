"""UploadFile: a file somebody handed in; its bytes lie in the storage under ``key``, a picture of it under ``preview_key``."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.signals import post_delete
from django.dispatch import receiver

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids
from difyproj.kernel.principal import ActorKind, Principal

from .app import App
from .end_user import EndUser


class UploadFileQuerySet(TenantQuerySet["UploadFile"]):
    app_lookup = "app_id"

    def made_by(self, principal: Principal) -> Self:
        """The uploads of this very account or end user; nobody's for a key."""
        if principal.actor_kind is ActorKind.ACCOUNT:
            return self.for_tenant(principal.tenant_id).filter(account_id=principal.actor_id)
        if principal.actor_kind is ActorKind.END_USER:
            return self.for_tenant(principal.tenant_id).filter(end_user_id=principal.actor_id)
        return self.none()


class PreviewState(models.TextChoices):
    NONE = "none", "Has none"
    WAITING = "waiting", "Waiting"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


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
    preview_state = models.CharField(max_length=8, choices=PreviewState.choices, default=PreviewState.NONE)
    preview_key = models.CharField(max_length=255, blank=True, default="", help_text="A small picture of it.")
    preview_text = models.TextField(blank=True, default="", help_text="How it begins, where it holds text.")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = UploadFileQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name

    @property
    def picture_key(self) -> str:
        """Where its preview's picture is kept, or would be."""
        return f"upload_previews/{self.tenant_id}/{self.pk}.webp"


class DoomedBytes(models.Model):
    """Bytes of the storage that no row wants, or that none wants yet: from ``due_at`` on they may be removed.

    The row comes before the bytes and goes after them, so that a process that dies leaves nothing behind for ever.
    """

    key = models.CharField(max_length=255, unique=True)
    due_at = models.DateTimeField(default=clock.now, db_index=True)

    class Meta:
        verbose_name_plural = "doomed bytes"

    def __str__(self) -> str:
        return self.key


@receiver(post_delete, sender=UploadFile)
def doom(instance: UploadFile, using: str, **_: object) -> None:
    """Whoever deletes the row, a cascade included, gives up its bytes in the same transaction."""
    # The picture may have been made after the row was read.
    keys = [instance.key, *([instance.picture_key] if instance.preview_state != PreviewState.NONE else [])]
    DoomedBytes.objects.using(using).bulk_create([DoomedBytes(key=key) for key in keys], ignore_conflicts=True)
