"""The Web API's routes of the apps room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

from . import conversations, forms, generate, media, site, workflows

urlpatterns: list[URLPattern] = [
    *site.routes,
    *generate.routes,
    *workflows.routes,
    *conversations.routes,
    *media.routes,
    *forms.routes,
]
