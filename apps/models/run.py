"""Run: one row per generation of any mode. Its id is the task id on the wire."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

from .app import App
from .end_user import EndUser

GRAPH_MODES = ["workflow", "advanced-chat"]


class RunStatus(models.TextChoices):
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    STOPPED = "stopped", "Stopped"
    PARTIAL_SUCCEEDED = "partial-succeeded", "Partly succeeded"
    PAUSED = "paused", "Paused"


class RunQuerySet(TenantQuerySet["Run"]):
    app_lookup = "app_id"


class Run(models.Model):
    """``last_event_id`` is the newest event whose effect the rows hold; no event above ``reserved_event_id`` was ever seen."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="runs", db_index=False)
    mode = models.CharField(max_length=32)
    status = models.CharField(max_length=20, choices=RunStatus.choices, default=RunStatus.RUNNING)
    tier = models.CharField(max_length=16, help_text="Where it was asked: service-api, web-app or console.")
    end_user = models.ForeignKey(EndUser, on_delete=models.SET_NULL, null=True, blank=True, related_name="runs", db_index=False)
    account_id = models.UUIDField(null=True, blank=True)
    config_override = models.JSONField(
        null=True, blank=True, help_text="The configuration it ran with, where that was not the app's own (debug runs)."
    )
    process_id = models.UUIDField(null=True, blank=True, help_text="The process that executes it.")
    trace_id = models.CharField(max_length=128, blank=True, default="")
    last_event_id = models.BigIntegerField(default=0)
    reserved_event_id = models.BigIntegerField(default=0)
    total_tokens = models.PositiveIntegerField(default=0)
    elapsed_time = models.FloatField(default=0.0, help_text="Seconds.")
    error_code = models.CharField(max_length=64, blank=True, default="")
    error_status = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        indexes = [
            models.Index(fields=["app", "-created_at"]),
            models.Index(fields=["process_id"], name="run_running_by_process", condition=Q(status="running")),
            # The history of a graph by status. Runs of other modes do not pay for it.
            models.Index(
                fields=["app", "status", "-created_at"], name="run_of_graph_by_status", condition=Q(mode__in=GRAPH_MODES)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mode} {self.id}"
