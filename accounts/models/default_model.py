"""DefaultModel: the model a tenant uses where nothing else is chosen."""

from __future__ import annotations

from django.db import models

from difyproj.infra.tenancy import TenantQuerySet

from .credential import MODEL_TYPES
from .rows import TenantRow


class DefaultModelRows(TenantQuerySet["DefaultModel"]):
    """Default models, fetched by tenant."""


class DefaultModel(TenantRow):
    model_type = models.CharField(max_length=32, choices=MODEL_TYPES)
    provider = models.CharField(max_length=255)
    model = models.CharField(max_length=255)

    objects = DefaultModelRows.as_manager()

    class Meta:
        ordering = ["model_type"]
        constraints = [models.UniqueConstraint(fields=["tenant", "model_type"], name="default_model_once")]

    def __str__(self) -> str:
        return f"{self.model_type}: {self.provider}/{self.model}"
