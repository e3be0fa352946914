"""External knowledge APIs of the workspace. Their keys are shown masked."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.models import Dataset, ExternalKnowledgeApi
from datasets.services import external_apis
from difyproj.infra.paging import page_of
from difyproj.tiers.fields import EpochField
from difyproj.tiers.shapes import Fields, Shape

from ..dataset_requests import PageFields, Text
from .base import EDIT, VIEW, KnowledgeViewSet


class ExternalApiSettingsFields(Fields):
    endpoint = serializers.CharField(max_length=2_000)
    api_key = serializers.CharField(max_length=2_000)


class ExternalApiFields(Fields):
    name = serializers.CharField(max_length=255)
    description = Text(max_length=2_000)
    settings = ExternalApiSettingsFields()


class ListFields(PageFields):
    keyword = Text()


class ExternalApiBindingRecord(serializers.ModelSerializer[Dataset]):
    class Meta:
        model = Dataset
        fields = ("id", "name")
        read_only_fields = fields


class ExternalApiRecord(serializers.ModelSerializer[ExternalKnowledgeApi]):
    settings = serializers.SerializerMethodField()
    dataset_bindings = ExternalApiBindingRecord(source="datasets", many=True)
    created_by = serializers.UUIDField(source="created_by_id", allow_null=True)
    created_at = EpochField()

    class Meta:
        model = ExternalKnowledgeApi
        fields = ("id", "tenant_id", "name", "description", "settings", "dataset_bindings", "created_by", "created_at")
        read_only_fields = fields

    def get_settings(self, row: ExternalKnowledgeApi) -> dict[str, str]:
        return {"endpoint": row.endpoint, "api_key": external_apis.UNCHANGED if row.sealed_key else ""}


class ExternalApiPage(Shape):
    data = ExternalApiRecord(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    page = serializers.IntegerField()


class ExternalApiUseRecord(Shape):
    is_using = serializers.BooleanField()
    count = serializers.IntegerField()


class ExternalApis(KnowledgeViewSet):
    tag = "External knowledge"
    needs = {"list": VIEW, "create": EDIT, "retrieve": VIEW, "update": EDIT, "destroy": EDIT, "check": VIEW}
    also_refuses = (409,)

    @extend_schema(operation_id="listExternalApis", parameters=[ListFields], responses=ExternalApiPage)
    def list(self, request: Request) -> Response:
        fields = self.query(ListFields)
        rows = external_apis.rows(self.principal, keyword=fields.get("keyword") or "").prefetch_related("datasets")
        page = page_of(rows, page=fields["page"], limit=fields["limit"])
        return Response(page.body(lambda found: ExternalApiRecord(found, many=True).data))

    @extend_schema(operation_id="createExternalApi", request=ExternalApiFields, responses={201: ExternalApiRecord})
    def create(self, request: Request) -> Response:
        return Response(ExternalApiRecord(external_apis.create(principal=self.principal, **self._given())).data, status=201)

    @extend_schema(operation_id="getExternalApi", responses=ExternalApiRecord)
    def retrieve(self, request: Request, api_id: str) -> Response:
        return Response(ExternalApiRecord(external_apis.get(self.principal, api_id)).data)

    @extend_schema(operation_id="updateExternalApi", request=ExternalApiFields, responses=ExternalApiRecord)
    def update(self, request: Request, api_id: str) -> Response:
        row = external_apis.get(self.principal, api_id)
        return Response(ExternalApiRecord(external_apis.update(principal=self.principal, row=row, **self._given())).data)

    @extend_schema(operation_id="deleteExternalApi", request=None, responses={204: None})
    def destroy(self, request: Request, api_id: str) -> Response:
        external_apis.delete(principal=self.principal, row=external_apis.get(self.principal, api_id))
        return Response(status=204)

    @extend_schema(operation_id="checkExternalApiUse", responses=ExternalApiUseRecord)
    def check(self, request: Request, api_id: str) -> Response:
        count = Dataset.objects.filter(external_api=external_apis.get(self.principal, api_id)).count()
        return Response({"is_using": count > 0, "count": count})

    def _given(self) -> dict[str, Any]:
        fields = self.body(ExternalApiFields)
        return {"name": fields["name"], "description": fields.get("description") or "", **fields["settings"]}


below = "datasets/external-knowledge-api"
routes = [
    path(below, ExternalApis.as_view({"get": "list", "post": "create"})),
    path(f"{below}/<str:api_id>", ExternalApis.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path(f"{below}/<str:api_id>/use-check", ExternalApis.as_view({"get": "check"})),
]
