"""The Console API's routes of the workflows room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

from . import (
    callbacks,
    draft_variables,
    drafts,
    forms,
    history,
    logs,
    node_defaults,
    node_forms,
    node_outputs,
    nodes,
    trigger_runs,
    triggers,
    variables,
)

urlpatterns: list[URLPattern] = [
    *node_defaults.routes,  # before those of versions: its paths look like a version's
    *callbacks.routes,
    *triggers.routes,
    *trigger_runs.routes,
    *nodes.routes,
    *node_forms.routes,
    *drafts.routes,
    *forms.routes,
    *history.routes,
    *node_outputs.routes,
    *logs.routes,
    *draft_variables.routes,
    *variables.routes,
]
