"""NodeExecution: one execution of one node, in a run or alone."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from apps.models import App, Run
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class NodeStatus(models.TextChoices):
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    EXCEPTION = "exception", "Failed, and its strategy went on"
    STOPPED = "stopped", "Stopped"
    PAUSED = "paused", "Paused"


class ExecutedFrom(models.TextChoices):
    WORKFLOW_RUN = "workflow-run", "Workflow run"
    SINGLE_STEP = "single-step", "Single step"


class NodeExecutionQuerySet(TenantQuerySet["NodeExecution"]):
    app_lookup = "app_id"


class NodeExecution(models.Model):
    """The id is the execution's own. ``index`` counts the starts of its run; inside containers ``container_id`` names the one
    and ``round`` which of its rounds. A single step has no run.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(
        Run, on_delete=models.CASCADE, null=True, blank=True, related_name="node_executions", db_index=False
    )
    workflow_id = models.UUIDField()
    triggered_from = models.CharField(max_length=16, choices=ExecutedFrom.choices, default=ExecutedFrom.WORKFLOW_RUN)
    node_id = models.CharField(max_length=255)
    node_type = models.CharField(max_length=64)
    title = models.TextField(blank=True, default="")
    index = models.PositiveIntegerField(default=1)
    predecessor_node_id = models.CharField(max_length=255, blank=True, default="")
    status = models.CharField(max_length=16, choices=NodeStatus.choices, default=NodeStatus.RUNNING)
    inputs = models.JSONField(null=True, blank=True)
    outputs = models.JSONField(null=True, blank=True)
    process_data = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    handle = models.CharField(max_length=255, default="source", help_text="The way it left by.")
    assigned = models.JSONField(default=list, blank=True, help_text="What it gave to variables that outlive it.")
    container_id = models.CharField(max_length=255, blank=True, default="")
    container_kind = models.CharField(max_length=16, blank=True, default="")
    round = models.PositiveIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=1)
    metadata = models.JSONField(default=dict, blank=True)
    total_tokens = models.PositiveIntegerField(default=0)
    total_price = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    currency = models.CharField(max_length=8, default="USD")
    elapsed_time = models.FloatField(default=0.0, help_text="Seconds.")
    account_id = models.UUIDField(null=True, blank=True)
    end_user_id = models.UUIDField(null=True, blank=True)
    started_event_id = models.BigIntegerField(default=0)
    finished_event_id = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = NodeExecutionQuerySet.as_manager()

    class Meta:
        ordering = ("index", "started_event_id")
        indexes = [
            models.Index(fields=["run", "index"], name="node_execution_in_run"),
            models.Index(fields=["app", "workflow_id", "node_id", "-created_at"], name="node_execution_last"),
            models.Index(fields=["created_at"], condition=Q(run__isnull=True), name="node_execution_alone_age"),
        ]

    def __str__(self) -> str:
        return f"{self.node_type} {self.node_id}"
