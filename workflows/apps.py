"""The workflows app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class WorkflowsConfig(AppConfig):
    name = "workflows"
    verbose_name = "Workflows"

    def ready(self) -> None:
        """Every process forgets published graphs that change, notes who changed them, and can renew what they keep secret."""
        from accounts.services import data_keys
        from difyproj.infra import audit
        from workflows import models
        from workflows.services import runnable, sealing

        self.watchers = (runnable,)
        audit.watch([models.Workflow, models.Trigger])
        data_keys.also_seals("workflows", sealing.reseal)
