"""HumanInputForm: what a paused run asks a person, and what came back."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q

from accounts.models import Tenant
from apps.models import App, Run
from difyproj.infra.tenancy import TenantQuerySet
from difyproj.kernel import clock, ids


class FormStatus(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SUBMITTED = "submitted", "Submitted"
    EXPIRED = "expired", "Expired"


WAITING = Q(status=FormStatus.WAITING)


class HumanInputFormQuerySet(TenantQuerySet["HumanInputForm"]):
    app_lookup = "app_id"

    def waiting(self) -> Self:
        return self.filter(WAITING)


class HumanInputForm(models.Model):
    """``definition`` is ``workflows.engine.node.Form``. Whoever has the token may answer: its hash finds the form, and
    ``sealed`` holds it, encrypted with the tenant's data key, for readers who come later.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="forms", db_index=False)
    node_id = models.CharField(max_length=255)
    title = models.TextField(blank=True, default="")
    execution_id = models.UUIDField()
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    sealed = models.BinaryField(default=b"", editable=False)
    definition = models.JSONField(default=dict)
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=16, choices=FormStatus.choices, default=FormStatus.WAITING)
    action_id = models.CharField(max_length=255, blank=True, default="")
    values = models.JSONField(default=dict, blank=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    submitted_by_account_id = models.UUIDField(null=True, blank=True)
    submitted_by_end_user_id = models.UUIDField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = HumanInputFormQuerySet.as_manager()

    class Meta:
        ordering = ("created_at", "id")
        constraints = [models.UniqueConstraint(fields=["run", "execution_id"], name="human_input_form_once")]
        indexes = [models.Index(fields=["expires_at"], condition=WAITING, name="human_input_form_due")]

    def __str__(self) -> str:
        return self.title or self.node_id
