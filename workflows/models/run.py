"""WorkflowRun: what a run of a graph has beyond ``apps.Run``; RunEventRow: boundary events that have no row of their own."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from apps.models import App, Run
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock


class TriggeredFrom(models.TextChoices):
    APP_RUN = "app-run", "Published use"
    DEBUGGING = "debugging", "Debugging"
    WEBHOOK = "webhook", "Webhook"
    SCHEDULE = "schedule", "Schedule"


LOGGED = ~Q(triggered_from=TriggeredFrom.DEBUGGING)


class WorkflowRunQuerySet(TenantQuerySet["WorkflowRun"]):
    app_lookup = "app_id"

    def logged(self) -> Self:
        """What logs and statistics show: debug runs are left out."""
        return self.filter(LOGGED)


class WorkflowRun(models.Model):
    """``graph`` is kept for drafts only, which change; otherwise ``workflow_id`` names the version that holds it."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, primary_key=True, related_name="workflow_run")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="workflow_runs", db_index=False)
    workflow_id = models.UUIDField()
    version = models.CharField(max_length=64)
    graph = models.JSONField(null=True, blank=True)
    inputs = models.JSONField(default=dict, blank=True, help_text="With sys.*")
    outputs = models.JSONField(null=True, blank=True)
    triggered_from = models.CharField(max_length=16, choices=TriggeredFrom.choices, default=TriggeredFrom.APP_RUN)
    total_steps = models.PositiveIntegerField(default=0)
    exceptions_count = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = WorkflowRunQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-run_id")
        indexes = [
            models.Index(fields=["app", "triggered_from", "-created_at", "-run"], name="workflow_run_list"),
            models.Index(fields=["app", "-created_at", "-run", "triggered_from"], name="workflow_run_of_app"),
        ]

    def __str__(self) -> str:
        return f"{self.triggered_from} {self.run_id}"


class RunEventQuerySet(TenantQuerySet["RunEventRow"]):
    tenant_lookup = "run__tenant_id"
    app_lookup = "run__app_id"


class RunEventRow(models.Model):
    """``event`` is encoded as ``workflows.engine.events`` does it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="boundaries", db_index=False)
    event_id = models.BigIntegerField()
    event = models.BinaryField()

    objects = RunEventQuerySet.as_manager()

    class Meta:
        verbose_name = "run event"
        ordering = ("event_id",)
        constraints = [models.UniqueConstraint(fields=["run", "event_id"], name="run_event_once")]

    def __str__(self) -> str:
        return f"{self.run_id} {self.event_id}"
