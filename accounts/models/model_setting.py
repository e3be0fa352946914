"""ModelSetting: what a tenant chose for one model of a provider, besides its credentials."""

from __future__ import annotations

from django.db import models

from difyproj.infra.tenancy import TenantQuerySet

from .credential import MODEL_TYPES
from .rows import TenantRow


class ModelSettingRows(TenantQuerySet["ModelSetting"]):
    """Settings, fetched by tenant."""


class ModelSetting(TenantRow):
    """A model without a row is enabled, and its calls use the current credential."""

    provider = models.CharField(max_length=255)
    model_type = models.CharField(max_length=32, choices=MODEL_TYPES)
    model = models.CharField(max_length=255)
    enabled = models.BooleanField(default=True)
    load_balancing_enabled = models.BooleanField(default=False, help_text="Spread calls over several credentials.")
    spread_over = models.JSONField(
        default=list, blank=True, help_text="Ids of these credentials; empty: all of the model's own, or all of the provider's."
    )

    objects = ModelSettingRows.as_manager()

    class Meta:
        ordering = ["provider", "model"]
        constraints = [models.UniqueConstraint(fields=["tenant", "provider", "model_type", "model"], name="model_setting_once")]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"
