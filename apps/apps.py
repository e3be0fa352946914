"""The apps app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class AppsConfig(AppConfig):
    name = "apps"
    verbose_name = "Apps"

    def ready(self) -> None:
        """Every process, whatever it was started for, tells the others when it changed an app, a site or a token."""
        from apps import models
        from apps.services import passports, sites, tokens
        from difyproj.infra import audit

        self.watchers = (passports, sites, tokens)
        audit.watch([models.Annotation, models.ApiToken, models.App, models.Site])
