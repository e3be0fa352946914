"""The apps app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class AppsConfig(AppConfig):
    name = "apps"
    verbose_name = "Apps"

    def ready(self) -> None:
        """Every process, whatever it was started for, tells the others when it changed an app, a tenant or a credential."""
        from accounts.services import model_access
        from apps.services import tokens

        self.watchers = (model_access, tokens)
