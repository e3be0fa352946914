"""Job: a piece of work that outlives the request that asked for it. The row is the truth; messages only carry its id."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class JobQuerySet(TenantQuerySet["Job"]):
    """A tenant's jobs; those of the house itself have no tenant."""


class Job(models.Model):
    """Waiting until a worker claims it, running while the worker renews ``lease_until``, then finished for good."""

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = (State.WAITING, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant_id = models.UUIDField(null=True, blank=True)
    created_by_id = models.UUIDField(null=True, blank=True)
    kind = models.CharField(max_length=64, help_text="Names the job's code, such as apps.preview.")
    target_id = models.CharField(max_length=255, blank=True, default="", help_text="The row that the job is about.")
    unique_key = models.CharField(max_length=330, null=True, blank=True, unique=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=1)
    error = models.TextField(blank=True, default="")
    progress_done = models.PositiveBigIntegerField(default=0)
    progress_total = models.PositiveBigIntegerField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    not_before = models.DateTimeField(default=clock.now, help_text="When it may be run.")
    delivered_at = models.DateTimeField(null=True, blank=True, help_text="When its id was last given to the task engine.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True, db_index=True)
    process_id = models.UUIDField(null=True, blank=True, help_text="The process that runs it.")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="Another may run it when this has passed.")

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["state", "not_before"], name="infra_job_due"),
            models.Index(fields=["kind", "-created_at"], name="infra_job_kind"),
            models.Index(fields=["tenant_id", "-created_at"], name="infra_job_tenant"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_id}".strip()

    @property
    def is_finished(self) -> bool:
        return self.state not in self.UNFINISHED
