"""DatasetUse: an app asks a dataset; written whenever a configuration or a graph that names it is saved."""

from __future__ import annotations

from django.db import models

from accounts.models.rows import TenantRow
from datasets.models import Dataset
from difyproj.infra.tenancy import TenantQuerySet

from .app import App


class DatasetUseRows(TenantQuerySet["DatasetUse"]):
    app_lookup = "app_id"


class DatasetUse(TenantRow):
    """While there is one, the dataset is not deleted by hand."""

    app = models.ForeignKey(App, on_delete=models.CASCADE, related_name="dataset_uses", db_index=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="uses")

    objects = DatasetUseRows.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["app", "dataset"], name="dataset_use_once")]

    def __str__(self) -> str:
        return f"{self.app_id} asks {self.dataset_id}"
