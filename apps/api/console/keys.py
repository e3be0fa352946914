"""The API keys of an app."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import app_keys
from difyproj.tiers.console import ConsoleViewSet

from . import app_records


class AppKeys(ConsoleViewSet):
    tag = "API keys"
    needs = {"list": "app.edit", "create": "app.token", "destroy": "app.token"}

    @extend_schema(operation_id="getAppKeys", responses=app_records.KeyList)
    def list(self, request: Request, app_id: str) -> Response:
        return Response({"data": app_records.KeyRecord(app_keys.rows(self.app(app_id)), many=True).data})

    @extend_schema(operation_id="createAppKey", request=None, responses={201: app_records.NewKeyRecord})
    def create(self, request: Request, app_id: str) -> Response:
        row, token = app_keys.create(self.app(app_id))
        return Response(app_records.NewKeyRecord(row, context={"token": token}).data, status=201)

    @extend_schema(operation_id="deleteAppKey", request=None, responses={204: None})
    def destroy(self, request: Request, app_id: str, key_id: str) -> Response:
        app_keys.delete(self.app(app_id), key_id)
        return Response(status=204)


below = "apps/<str:app_id>/api-keys"
routes = [
    path(below, AppKeys.as_view({"get": "list", "post": "create"})),
    path(f"{below}/<str:key_id>", AppKeys.as_view({"delete": "destroy"})),
]
