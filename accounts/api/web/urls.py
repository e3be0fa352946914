"""The Web API's routes of the accounts room, without their prefix. Each group lists its own."""

from __future__ import annotations

from django.urls import URLPattern

from . import access, login

urlpatterns: list[URLPattern] = [*access.routes, *login.routes]
