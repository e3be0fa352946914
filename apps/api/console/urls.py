"""The Console API's routes of the apps room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

from . import annotation, apps, keys, logs, model_config, site, statistics, tracing

urlpatterns: list[URLPattern] = [
    *annotation.routes,
    *apps.routes,
    *keys.routes,
    *logs.routes,
    *model_config.routes,
    *site.routes,
    *statistics.routes,
    *tracing.routes,
]
