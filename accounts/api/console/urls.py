"""The Console API's routes of the accounts room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

from . import model_credentials, model_providers, system

urlpatterns: list[URLPattern] = [
    *system.routes,
    *model_credentials.routes,
    *model_providers.routes,
    *model_providers.icon_routes,
]
