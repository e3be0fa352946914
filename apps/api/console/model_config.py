"""The configuration of a chat or completion app."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import apps
from difyproj.tiers.console import ConsoleViewSet

from ..records import SUCCESS, ResultRecord


class ModelConfig(ConsoleViewSet):
    """The whole body is the configuration, so it has no fields of its own here: ``apps.config`` knows them."""

    tag = "Apps"
    needs = {"create": "app.edit"}

    @extend_schema(operation_id="saveModelConfig", request=OpenApiTypes.OBJECT, responses=ResultRecord)
    def create(self, request: Request, app_id: str) -> Response:
        apps.configure(self.app(app_id), request.data, by=self.principal.actor_id)
        return Response(SUCCESS)


routes = [path("apps/<str:app_id>/model-config", ModelConfig.as_view({"post": "create"}))]
