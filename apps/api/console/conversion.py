"""Chat and completion apps turned into chatflows and workflows."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import conversion
from difyproj.tiers.console import ConsoleViewSet
from difyproj.tiers.shapes import Shape

from . import app_requests


class NewAppRecord(Shape):
    new_app_id = serializers.UUIDField()


class Conversions(ConsoleViewSet):
    tag = "Apps"
    needs = {"create": "app.edit"}

    @extend_schema(operation_id="convertToWorkflow", request=app_requests.CopyFields, responses=NewAppRecord)
    def create(self, request: Request, app_id: str) -> Response:
        made = conversion.to_workflow(self.app(app_id), by=self.principal.actor_id, **self.body(app_requests.CopyFields))
        return Response({"new_app_id": str(made.pk)})


routes = [path("apps/<str:app_id>/convert-to-workflow", Conversions.as_view({"post": "create"}))]
