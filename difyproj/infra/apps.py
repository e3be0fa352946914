"""The infra app's registration with Django."""

from __future__ import annotations

from django.apps import AppConfig


class InfraConfig(AppConfig):
    name = "difyproj.infra"
    label = "infra"
    verbose_name = "Infrastructure"
