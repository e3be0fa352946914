"""Workflow: one version of an app's graph, the draft among them."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from apps.models import App
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids

DRAFT = "draft"


class WorkflowQuerySet(TenantQuerySet["Workflow"]):
    app_lookup = "app_id"

    def drafts(self) -> Self:
        return self.filter(version=DRAFT)

    def versions(self) -> Self:
        """What was published, newest first."""
        return self.exclude(version=DRAFT).order_by("-created_at", "-id")


class Workflow(models.Model):
    """The draft changes; a published version keeps everything but its name and comment.

    Environment variables of type ``secret`` have no ``value`` here: their values stand in ``sealed``, by their ids, encrypted
    with the tenant's data key.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="workflows", db_index=False)
    version = models.CharField(max_length=64, default=DRAFT, help_text="'draft', or the moment it was published.")
    graph = models.JSONField(default=dict)
    features = models.JSONField(default=dict, blank=True)
    environment_variables = models.JSONField(default=list, blank=True)
    conversation_variables = models.JSONField(default=list, blank=True)
    sealed = models.BinaryField(default=b"", editable=False)
    hash = models.CharField(max_length=64, help_text="Of everything that a draft's writer may change.")
    marked_name = models.CharField(max_length=255, blank=True, default="")
    marked_comment = models.TextField(blank=True, default="")
    created_by_id = models.UUIDField(null=True, blank=True, help_text="The account that made or published it.")
    updated_by_id = models.UUIDField(null=True, blank=True, help_text="The account that changed it last.")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now)

    objects = WorkflowQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [models.UniqueConstraint(fields=["app", "version"], name="workflow_version_once")]
        indexes = [models.Index(fields=["app", "-created_at"], condition=~Q(version=DRAFT), name="workflow_published")]

    def __str__(self) -> str:
        return self.marked_name or self.version
