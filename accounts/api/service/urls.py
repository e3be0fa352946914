"""The routes of the Service API's accounts room, without their prefix."""

from __future__ import annotations

from django.urls import path

from .models import UsableModels

urlpatterns = [
    path("workspaces/current/models/model-types/<str:model_type>", UsableModels.as_view({"get": "list"})),
]
