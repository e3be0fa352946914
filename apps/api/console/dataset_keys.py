"""The keys of the Knowledge API, and where it is."""

from __future__ import annotations

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import dataset_keys
from difyproj.tiers.console import ConsoleViewSet

from ..records import Shape
from . import app_records


class ApiBaseRecord(Shape):
    api_base_url = serializers.CharField()


class DatasetKeys(ConsoleViewSet):
    tag = "API keys"
    needs = {"list": "dataset.edit", "create": "dataset.token", "destroy": "dataset.token"}

    @extend_schema(operation_id="getDatasetKeys", responses=app_records.KeyList)
    def list(self, request: Request) -> Response:
        return Response({"data": app_records.KeyRecord(dataset_keys.rows(self.principal), many=True).data})

    @extend_schema(operation_id="createDatasetKey", request=None, responses=app_records.NewKeyRecord)
    def create(self, request: Request) -> Response:
        row, token = dataset_keys.create(self.principal)
        return Response(app_records.NewKeyRecord(row, context={"token": token}).data)

    @extend_schema(operation_id="deleteDatasetKey", request=None, responses={204: None})
    def destroy(self, request: Request, key_id: str) -> Response:
        dataset_keys.delete(self.principal, key_id)
        return Response(status=204)


class DatasetApiBase(ConsoleViewSet):
    tag = "API keys"
    needs = {"retrieve": "dataset.view"}

    @extend_schema(operation_id="getDatasetApiBase", responses=ApiBaseRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"api_base_url": f"{settings.PUBLIC_URL}/v1"})


routes = [
    path("datasets/api-keys", DatasetKeys.as_view({"get": "list", "post": "create"})),
    path("datasets/api-keys/<str:key_id>", DatasetKeys.as_view({"delete": "destroy"})),
    path("datasets/api-base-info", DatasetApiBase.as_view({"get": "retrieve"})),
]
