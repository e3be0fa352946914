"""The Console API's routes of the accounts room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

from . import system

urlpatterns: list[URLPattern] = [
    *system.routes,
]
