"""Tenant: the workspace that owns everything else, with its plan and its own data key."""

from __future__ import annotations

from django.db import models

from difyproj.infra.tenancy import TenantQuerySet

from .rows import Row


class Plan(models.TextChoices):
    SANDBOX = "sandbox"
    PROFESSIONAL = "professional"
    TEAM = "team"
    ENTERPRISE = "enterprise"


class TenantStatus(models.TextChoices):
    NORMAL = "normal"
    ARCHIVED = "archived"


class TenantRows(TenantQuerySet["Tenant"]):
    tenant_lookup = "pk"


class Tenant(Row):
    """``data_key`` encrypts the tenant's credentials and is itself wrapped by the instance key."""

    name = models.CharField(max_length=255)
    plan = models.CharField(max_length=32, choices=Plan.choices, default=Plan.SANDBOX)
    status = models.CharField(max_length=32, choices=TenantStatus.choices, default=TenantStatus.NORMAL)
    data_key = models.BinaryField(editable=False)
    custom_config = models.JSONField(default=dict, blank=True)

    objects = TenantRows.as_manager()

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return self.name
