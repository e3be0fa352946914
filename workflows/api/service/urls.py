"""The routes of the Service API's workflows room, without their prefix."""

from __future__ import annotations

from django.urls import path

from .forms import Forms
from .runs import Logs, Runs

urlpatterns = [
    path("workflows/run/<str:workflow_run_id>", Runs.as_view({"get": "retrieve"})),
    path("workflows/logs", Logs.as_view({"get": "list"})),
    path("form/human_input/<str:form_token>", Forms.as_view({"get": "retrieve", "post": "create"})),
]
