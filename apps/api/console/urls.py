"""The Console API's routes of the apps room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

from . import (
    annotation,
    annotation_reply,
    apps,
    conversion,
    dataset_keys,
    debug,
    draft_runs,
    dsl,
    files,
    keys,
    logs,
    messages,
    model_config,
    prompt_templates,
    site,
    speech,
    statistics,
    tags,
    tracing,
)

urlpatterns: list[URLPattern] = [
    *annotation.routes,
    *annotation_reply.routes,
    *dsl.routes,  # before those of apps: its paths look like an app's
    *apps.routes,
    *conversion.routes,
    *dataset_keys.routes,
    *debug.routes,
    *draft_runs.routes,
    *files.routes,
    *keys.routes,
    *logs.routes,
    *messages.routes,
    *model_config.routes,
    *prompt_templates.routes,
    *site.routes,
    *speech.routes,
    *statistics.routes,
    *tags.routes,
    *tracing.routes,
]
