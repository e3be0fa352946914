"""A dataset's first documents and later ones, from files that were uploaded before; and what they would be split into."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.models import UploadFile
from apps.services import document_intake
from datasets.models import Dataset, DataSourceType, Document, IndexingTechnique
from datasets.rag.split import Rule
from datasets.services import datasets, documents, estimates
from datasets.services.estimates import Draft, Estimate
from datasets.services.sources import Source
from difyproj.infra import db
from difyproj.kernel.errors import InvalidParam
from difyproj.tiers.actions import Deferred
from difyproj.tiers.shapes import Fields, Shape

from .. import dataset_records, document_records
from .. import document_requests as requests
from ..dataset_requests import MOST_IDS
from ..given import given
from .base import EDIT, VIEW, KnowledgeViewSet
from .datasets import one
from .documents import document

OWN = ("data_source", "original_document_id", "name", "dataset_id")


class UploadListFields(Fields):
    file_ids = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=MOST_IDS)


class InfoListFields(Fields):
    data_source_type = serializers.CharField(max_length=32)
    file_info_list = UploadListFields(required=False, allow_null=True)


class DataSourceFields(Fields):
    info_list = InfoListFields()


class StartDocumentsFields(requests.DocumentDataFields):
    """What Dify's console sends: where the texts come from, and how they are indexed."""

    data_source = DataSourceFields()
    name = requests.Text(max_length=40)


class IndexingEstimateFields(requests.RuleFields):
    info_list = InfoListFields()
    dataset_id = serializers.UUIDField(required=False, allow_null=True)
    indexing_technique = serializers.ChoiceField(IndexingTechnique.values, required=False, allow_null=True)


class StartedDocumentsRecord(Shape):
    dataset = dataset_records.DatasetRecord()
    documents = document_records.DocumentRecord(many=True)
    batch = serializers.CharField()


class SegmentPreviewRecord(Shape):
    content = serializers.CharField()
    child_chunks = serializers.ListField(child=serializers.CharField())
    summary = serializers.CharField(allow_null=True)


class QuestionPreviewRecord(Shape):
    question = serializers.CharField()
    answer = serializers.CharField()


class IndexingEstimateRecord(Shape):
    total_segments = serializers.IntegerField()
    preview = SegmentPreviewRecord(many=True)
    qa_preview = QuestionPreviewRecord(many=True)


class StartingViewSet(KnowledgeViewSet):
    tag = "Documents"

    def files(self, info: dict[str, Any]) -> list[UploadFile]:
        """Raises InvalidParam for another source than files, FileNotFound, UnsupportedFileType."""
        listed = info.get("file_info_list")
        if info["data_source_type"] != DataSourceType.UPLOAD_FILE or not listed:
            raise InvalidParam("The documents must come from uploaded files.", params="data_source")
        rows = self.uploads(listed["file_ids"])
        for row in rows:
            document_intake.demand_readable(row.extension)
        return rows

    def started(self, dataset: Dataset, rows: Sequence[UploadFile], fields: dict[str, Any]) -> Deferred:
        """One document per file, all of one batch: those that are made stay when a later one fails."""
        settled = {name: value for name, value in fields.items() if name not in OWN}
        principal, batch = self.principal, documents.new_batch()

        def make(source: Source) -> Document:
            return documents.create(
                principal=principal, dataset=dataset, source=source, created_from="web", batch=batch, **settled
            )

        async def keep() -> Response:
            made = [await document_intake.keep(document_intake.of_upload(row), row, make) for row in rows]
            return Response(await db.run(_told, dataset, made), status=self.made_status)

        return Deferred(keep)

    made_status = 200


class Starts(StartingViewSet):
    needs = {"create": "dataset.create"}
    made_status = 201

    @extend_schema(
        operation_id="createDatasetWithDocuments", request=StartDocumentsFields, responses={201: StartedDocumentsRecord}
    )
    def create(self, request: Request) -> Deferred:
        fields = given(self.body(StartDocumentsFields))
        rows = self.files(fields["data_source"]["info_list"])
        names = {"indexing_technique", "embedding_model", "embedding_model_provider", "retrieval_model"}
        chosen = {name: value for name, value in fields.items() if name in names}
        if not chosen.get("indexing_technique"):
            raise InvalidParam("indexing_technique is required.", params="indexing_technique")
        # No dataset is left behind by a rule that cannot be.
        Rule.parse(fields.get("process_rule"))
        name = fields.get("name") or datasets.free_name(self.principal, rows[0].name)
        return self.started(datasets.create(principal=self.principal, name=name, **chosen), rows, fields)


class MoreDocuments(StartingViewSet):
    needs = {"create": EDIT}

    @extend_schema(operation_id="addDocuments", request=StartDocumentsFields, responses=StartedDocumentsRecord)
    def create(self, request: Request, dataset_id: str) -> Deferred:
        dataset, fields = self.local(dataset_id), given(self.body(StartDocumentsFields))
        return self.started(dataset, self.files(fields["data_source"]["info_list"]), fields)


class Estimates(StartingViewSet):
    needs = {"of_files": VIEW, "of_document": VIEW, "of_batch": VIEW}

    @extend_schema(operation_id="estimateIndexing", request=IndexingEstimateFields, responses=IndexingEstimateRecord)
    def of_files(self, request: Request) -> Deferred:
        fields = given(self.body(IndexingEstimateFields))
        rows = self.files(fields["info_list"])
        drafts = [Draft(row.key, row.extension, row.mime_type) for row in rows]
        return self._told(drafts, fields.get("process_rule"), fields.get("doc_form") or "")

    @extend_schema(operation_id="estimateDocument", responses=IndexingEstimateRecord)
    def of_document(self, request: Request, dataset_id: str, document_id: str) -> Deferred:
        _, row = self.document(dataset_id, document_id)
        return self._of([row])

    @extend_schema(operation_id="estimateBatch", responses=IndexingEstimateRecord)
    def of_batch(self, request: Request, dataset_id: str, batch: str) -> Deferred:
        return self._of(documents.of_batch(self.dataset(dataset_id), batch))

    def _of(self, rows: Sequence[Document]) -> Deferred:
        drafts = [Draft(row.key, row.extension, row.mime_type) for row in rows]
        rule = rows[0].process_rule
        return self._told(drafts, {"mode": rule.mode, "rules": rule.rules}, rows[0].doc_form)

    def _told(self, drafts: Sequence[Draft], rule: Any, doc_form: str) -> Deferred:
        tenant_id = self.principal.tenant_id

        async def read() -> Response:
            made = await asyncio.to_thread(estimates.estimate, drafts, tenant_id=tenant_id, rule=rule, doc_form=doc_form)
            return Response(_preview(made, is_qa=doc_form == "qa_model"))

        return Deferred(read)


def _preview(made: Estimate, *, is_qa: bool) -> dict[str, Any]:
    if is_qa:
        pairs = [{"question": piece.content, "answer": piece.answer} for piece in made.preview]
        return {"total_segments": made.total, "preview": [], "qa_preview": pairs}
    shown = [{"content": piece.content, "child_chunks": list(piece.children), "summary": None} for piece in made.preview]
    return {"total_segments": made.total, "preview": shown, "qa_preview": []}


def _told(dataset: Dataset, made: Sequence[Document]) -> dict[str, Any]:
    dataset.refresh_from_db()
    records = [document_records.made(dataset, row)["document"] for row in made]
    return {"dataset": dataset_records.dataset_record(dataset), "documents": records, "batch": made[0].batch}


routes = [
    path("datasets/init", Starts.as_view({"post": "create"})),
    path("datasets/indexing-estimate", Estimates.as_view({"post": "of_files"})),
]
routes_of_one = [
    path(f"{one}/batch/<str:batch>/indexing-estimate", Estimates.as_view({"get": "of_batch"})),
    path(f"{document}/indexing-estimate", Estimates.as_view({"get": "of_document"})),
]
