"""The Console API's routes of the accounts room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

from . import (
    account,
    login,
    members,
    model_credentials,
    model_providers,
    oauth,
    registration,
    second_factor,
    sessions,
    system,
    workspace_system,
    workspaces,
)

urlpatterns: list[URLPattern] = [
    *system.routes,
    *login.routes,
    *registration.routes,
    *oauth.routes,
    *account.routes,
    *sessions.routes,
    *second_factor.routes,
    *workspaces.routes,
    *members.routes,
    *workspace_system.routes,
    *model_credentials.routes,
    *model_providers.routes,
    *model_providers.icon_routes,
]
