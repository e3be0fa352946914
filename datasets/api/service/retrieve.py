"""Search one dataset; under the older name, too."""

from __future__ import annotations

from dataclasses import replace

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.services import retrieval, retrieval_settings
from difyproj.infra import db
from difyproj.tiers.actions import Deferred
from difyproj.tiers.datasets import DatasetViewSet

from .. import retrieval_records as records
from ..dataset_requests import RetrieveFields
from ..segment_records import attached


class Retrieval(DatasetViewSet):
    tag = "Knowledge Bases"
    keeps_answers = False
    repeats_safely = True

    @extend_schema(operation_id="retrieveSegments", request=RetrieveFields, responses=records.FoundList)
    def create(self, request: Request, dataset_id: str) -> Deferred:
        dataset, fields = self.dataset(dataset_id), self.body(RetrieveFields)
        asker, tenant_id = retrieval.asker(self.owner), dataset.tenant_id
        external = fields.get("external_retrieval_model")
        settings = retrieval_settings.of_dataset(dataset)
        if fields.get("retrieval_model"):
            settings = retrieval.parse(fields["retrieval_model"])
        settings = replace(settings, external=external or settings.external)

        async def ask() -> Response:
            passages = await retrieval.retrieve(asker, fields["query"], [dataset.pk], settings)
            segments = [one.segment for one in passages.passages if one.segment is not None]
            files = await db.run(attached, tenant_id, segments)
            return Response(records.found(passages, files))

        return Deferred(ask)

    @extend_schema(
        operation_id="retrieveSegmentsByOlderName", request=RetrieveFields, responses=records.FoundList, deprecated=True
    )
    def create_by_older_name(self, request: Request, dataset_id: str) -> Deferred:
        return self.create(request, dataset_id)
