"""The Console API's routes of the apps room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
