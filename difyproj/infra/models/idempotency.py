"""IdempotencyKey: the first answer to a request that may be sent again."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from difyproj.kernel import clock, ids


class IdempotencyKey(models.Model):
    """Pending while the first request works (until ``locked_until``, should its process die), then done with its answer."""

    class State(models.TextChoices):
        PENDING = "pending"
        DONE = "done"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant_id = models.UUIDField(db_index=True)
    scope = models.CharField(max_length=128, help_text="Whose keys these are: an app's or a tenant's id.")
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    run_id = models.UUIDField(null=True, blank=True, help_text="The run that the request started.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    response_status = models.PositiveSmallIntegerField(null=True, blank=True)
    response_body = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(default=clock.now, editable=False, db_index=True)
    locked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="infra_idempotency_key_once")]

    def __str__(self) -> str:
        return f"{self.scope} {self.key}"
