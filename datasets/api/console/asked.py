"""Retrieval tests, and what a dataset was asked."""

from __future__ import annotations

from dataclasses import replace

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.models import DatasetQuery, QuerySource
from datasets.services import retrieval, retrieval_settings
from difyproj.infra import db
from difyproj.infra.paging import page_of
from difyproj.tiers.actions import Deferred
from difyproj.tiers.fields import EpochField
from difyproj.tiers.shapes import Shape

from .. import dataset_requests as requests
from .. import retrieval_records as records
from ..segment_records import attached
from .base import VIEW, KnowledgeViewSet
from .datasets import one


class AskedRecord(serializers.ModelSerializer[DatasetQuery]):
    """``trace`` is ours: why each passage was returned."""

    source_app_id = serializers.UUIDField(source="app_id", allow_null=True)
    created_by = serializers.UUIDField(source="created_by_id", allow_null=True)
    created_at = EpochField()

    class Meta:
        model = DatasetQuery
        fields = ("id", "content", "source", "source_app_id", "created_by_role", "created_by", "created_at", "trace")
        read_only_fields = fields


class AskedPage(Shape):
    data = AskedRecord(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    page = serializers.IntegerField()


class RetrievalTests(KnowledgeViewSet):
    tag = "Datasets"
    needs = {"create": VIEW, "create_external": VIEW}

    @extend_schema(operation_id="testRetrieval", request=requests.RetrieveFields, responses=records.FoundList)
    def create(self, request: Request, dataset_id: str) -> Deferred:
        dataset, fields = self.dataset(dataset_id), self.body(requests.RetrieveFields)
        asker, tenant_id = retrieval.asker(self.principal, QuerySource.HIT_TESTING), dataset.tenant_id
        settings = retrieval_settings.of_dataset(dataset)
        if fields.get("retrieval_model"):
            settings = retrieval.parse(fields["retrieval_model"])
        settings = replace(settings, external=fields.get("external_retrieval_model") or settings.external)

        async def ask() -> Response:
            passages = await retrieval.retrieve(asker, fields["query"], [dataset.pk], settings)
            segments = [found.segment for found in passages.passages if found.segment is not None]
            return Response(records.found(passages, await db.run(attached, tenant_id, segments)))

        return Deferred(ask)

    @extend_schema(operation_id="testExternalRetrieval", request=requests.RetrieveFields, responses=records.FoundList)
    def create_external(self, request: Request, dataset_id: str) -> Deferred:
        return self.create(request, dataset_id)


class Asked(KnowledgeViewSet):
    tag = "Datasets"
    needs = {"list": VIEW}

    @extend_schema(operation_id="listDatasetQueries", parameters=[requests.PageFields], responses=AskedPage)
    def list(self, request: Request, dataset_id: str) -> Response:
        rows = DatasetQuery.objects.filter(dataset=self.dataset(dataset_id))
        page = page_of(rows, **self.query(requests.PageFields))
        return Response(page.body(lambda found: AskedRecord(found, many=True).data))


routes = [
    path(f"{one}/hit-testing", RetrievalTests.as_view({"post": "create"})),
    path(f"{one}/external-hit-testing", RetrievalTests.as_view({"post": "create_external"})),
    path(f"{one}/queries", Asked.as_view({"get": "list"})),
]
