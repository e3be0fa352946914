"""The datasets app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class DatasetsConfig(AppConfig):
    name = "datasets"
    verbose_name = "Knowledge"

    def ready(self) -> None:
        from accounts.services import data_keys
        from datasets import models
        from datasets.services import external_apis
        from difyproj.infra import audit

        data_keys.also_seals("datasets", external_apis.reseal)
        audit.watch([models.Dataset, models.DatasetMember, models.ExternalKnowledgeApi])
