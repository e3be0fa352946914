"""CallbackDelivery: whom a caller wants told when its run has ended, and what became of telling it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from apps.models import App, Run
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class DeliveryStatus(models.TextChoices):
    WAITING = "waiting", "Waiting for the run"
    SENDING = "sending", "Sending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed"


WAITING = Q(status=DeliveryStatus.WAITING)


class CallbackDeliveryQuerySet(TenantQuerySet["CallbackDelivery"]):
    app_lookup = "app_id"


class CallbackDelivery(models.Model):
    """``log`` holds the last attempts: ``{"at", "status", "error", "seconds"}``."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="+")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="callback")
    url = models.TextField()
    status = models.CharField(max_length=16, choices=DeliveryStatus.choices, default=DeliveryStatus.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    log = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    delivered_at = models.DateTimeField(null=True, blank=True)

    objects = CallbackDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "callback deliveries"
        ordering = ("-created_at", "-id")
        indexes = [models.Index(fields=["created_at"], condition=WAITING, name="callback_waiting")]

    def __str__(self) -> str:
        return f"{self.status} {self.run_id}"
