"""AuditEntry: who did what to what. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models.base import ModelBase

from difyproj.kernel import clock, ids


class AppendOnly(TypeError):
    """An audit entry was to be changed or removed."""


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly("Audit entries are not changed.")

    def delete(self) -> NoReturn:
        raise AppendOnly("Audit entries are not removed.")


class AuditEntry(models.Model):
    """``before`` and ``after`` hold the fields that changed, never a secret."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant_id = models.UUIDField(null=True, blank=True)
    actor_kind = models.CharField(max_length=32)
    actor_id = models.UUIDField(null=True, blank=True)
    action = models.CharField(max_length=64)
    target_kind = models.CharField(max_length=64)
    target_id = models.CharField(max_length=64, blank=True, default="")
    before = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    ip = models.GenericIPAddressField(null=True, blank=True)
    request_id = models.CharField(max_length=128, blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["tenant_id", "-created_at"], name="infra_audit_tenant"),
            models.Index(fields=["target_kind", "target_id"], name="infra_audit_target"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.target_kind} {self.target_id}"

    def save(
        self,
        *,
        force_insert: bool | tuple[ModelBase, ...] = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Iterable[str] | None = None,
    ) -> None:
        if not self._state.adding:
            raise AppendOnly("Audit entries are not changed.")
        super().save(force_insert=True, using=using)

    def delete(self, using: Any = None, keep_parents: bool = False) -> NoReturn:
        raise AppendOnly("Audit entries are not removed.")
