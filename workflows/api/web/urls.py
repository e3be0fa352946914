"""The Web API's routes of the workflows room, without their prefix."""

from __future__ import annotations

from django.urls import URLPattern

from . import forms

urlpatterns: list[URLPattern] = [*forms.routes]
