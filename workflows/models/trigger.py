"""Trigger: what starts a published workflow from outside, by a call or by the clock."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from apps.models import App
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class TriggerKind(models.TextChoices):
    WEBHOOK = "webhook", "Webhook"
    SCHEDULE = "schedule", "Schedule"


TICKING = Q(kind=TriggerKind.SCHEDULE, enabled=True)
UNFINISHED = Q(kind=TriggerKind.SCHEDULE, enabled=True, pending_at__isnull=False)


class TriggerQuerySet(TenantQuerySet["Trigger"]):
    app_lookup = "app_id"

    def ticking(self) -> Self:
        return self.filter(TICKING)


class Trigger(models.Model):
    """One per trigger node of the published graph; ``configuration`` is that node's data.

    A webhook's ``token`` is its address. ``sealed`` holds the key that signs its calls, encrypted with the tenant's data key;
    where it is empty, calls need no signature.

    Webhooks of drafts have their address before they are published. ``caught`` are the inputs of a call to it that the author
    who listens (until ``listening_until``) has not taken yet.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="triggers", db_index=False)
    node_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=16, choices=TriggerKind.choices)
    title = models.TextField(blank=True, default="")
    token = models.CharField(max_length=64, unique=True, null=True, blank=True, editable=False)
    sealed = models.BinaryField(default=b"", editable=False)
    published = models.BooleanField(default=True)
    enabled = models.BooleanField(default=True)
    configuration = models.JSONField(default=dict, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)
    pending_at = models.DateTimeField(null=True, blank=True, help_text="The tick whose run is not known to have begun yet.")
    last_at = models.DateTimeField(null=True, blank=True, help_text="When it last fired.")
    last_run_id = models.UUIDField(null=True, blank=True)
    last_error = models.TextField(blank=True, default="")
    listening_until = models.DateTimeField(null=True, blank=True)
    listening_by_id = models.UUIDField(null=True, blank=True)
    caught = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TriggerQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")
        constraints = [models.UniqueConstraint(fields=["app", "node_id"], name="trigger_once")]
        indexes = [
            models.Index(fields=["next_at"], condition=TICKING, name="trigger_due"),
            models.Index(fields=["last_at"], condition=UNFINISHED, name="trigger_pending"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.node_id}"
