"""Documents of a dataset: lists, details, progress, and what is done with one or several."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.models import Document, IndexingStatus
from datasets.services import addresses, document_list, documents, metadata, upkeep
from difyproj.tiers.fields import ObjectField
from difyproj.tiers.schema import ResultRecord
from difyproj.tiers.shapes import SUCCESS, Fields, Shape

from .. import dataset_requests, details
from .. import document_records as records
from .. import document_requests as requests
from ..zips import ZipBody
from .base import EDIT, VIEW, KnowledgeViewSet
from .datasets import one

MOST_SHOWN = 1_000


class DocumentQuery(requests.DocumentListFields):
    sort = requests.Text(max_length=32)


class DocumentNameFields(Fields):
    name = serializers.CharField(max_length=255)


class DocTypeFields(Fields):
    doc_type = requests.Text(max_length=40)
    doc_metadata = ObjectField(required=False, allow_null=True)


class FailedDocuments(Shape):
    data = records.ProgressRecord(many=True)  # type: ignore[assignment]
    total = serializers.IntegerField()


class Documents(KnowledgeViewSet):
    tag = "Documents"
    needs = {"list": VIEW, "retrieve": VIEW, "destroy": EDIT, "destroy_many": EDIT, "rename": EDIT, "describe": EDIT}

    @extend_schema(operation_id="listDocuments", parameters=[DocumentQuery], responses=records.DocumentPage)
    def list(self, request: Request, dataset_id: str) -> Response:
        dataset, fields = self.dataset(dataset_id), self.query(DocumentQuery)
        page = document_list.page(
            dataset,
            page=fields["page"],
            limit=fields["limit"],
            keyword=fields.get("keyword") or "",
            status=fields.get("status") or "",
            sort=fields.get("sort") or "",
        )
        return Response(records.document_page(dataset, page))

    @extend_schema(operation_id="getDocument", parameters=[requests.DetailFields], responses=records.DetailRecord)
    def retrieve(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, document = self.document(dataset_id, document_id)
        return Response(details.told(dataset, document, self.query(requests.DetailFields).get("metadata") or ""))

    @extend_schema(operation_id="deleteDocument", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, document = self.document(dataset_id, document_id)
        documents.delete(principal=self.principal, dataset=dataset, document=document)
        return Response(status=204)

    @extend_schema(operation_id="deleteDocuments", request=None, responses={204: None})
    def destroy_many(self, request: Request, dataset_id: str) -> Response:
        dataset = self.dataset(dataset_id)
        for row in documents.several(dataset, request.query_params.getlist("document_id")[:MOST_SHOWN]):
            documents.delete(principal=self.principal, dataset=dataset, document=row)
        return Response(status=204)

    @extend_schema(operation_id="renameDocument", request=DocumentNameFields, responses=records.DocumentRecord)
    def rename(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, document = self.document(dataset_id, document_id)
        name = self.body(DocumentNameFields)["name"]
        row = documents.rename(principal=self.principal, dataset=dataset, document=document, name=name)
        return Response(records.made(dataset, row)["document"])

    @extend_schema(operation_id="describeDocument", request=DocTypeFields, responses=ResultRecord)
    def describe(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, document = self.document(dataset_id, document_id)
        fields = self.body(DocTypeFields)
        upkeep.describe(
            principal=self.principal, dataset=dataset, document=document, doc_type=fields.get("doc_type") or "",
            values=fields.get("doc_metadata") or {},
        )  # fmt: skip
        return Response(SUCCESS)


class Progress(KnowledgeViewSet):
    tag = "Documents"
    needs = {"of_dataset": VIEW, "of_batch": VIEW, "of_document": VIEW, "failed": VIEW, "retry": EDIT}

    @extend_schema(operation_id="getDatasetIndexingStatus", responses=records.ProgressList)
    def of_dataset(self, request: Request, dataset_id: str) -> Response:
        rows = Document.objects.filter(dataset=self.dataset(dataset_id))[:MOST_SHOWN]
        return Response({"data": records.ProgressRecord(rows, many=True).data})

    @extend_schema(operation_id="getBatchIndexingStatus", responses=records.ProgressList)
    def of_batch(self, request: Request, dataset_id: str, batch: str) -> Response:
        rows = documents.of_batch(self.dataset(dataset_id), batch)
        return Response({"data": records.ProgressRecord(rows, many=True).data})

    @extend_schema(operation_id="getIndexingStatus", responses=records.ProgressRecord)
    def of_document(self, request: Request, dataset_id: str, document_id: str) -> Response:
        return Response(records.ProgressRecord(self.document(dataset_id, document_id)[1]).data)

    @extend_schema(operation_id="listFailedDocuments", responses=FailedDocuments)
    def failed(self, request: Request, dataset_id: str) -> Response:
        found = Document.objects.filter(dataset=self.dataset(dataset_id), indexing_status=IndexingStatus.ERROR)
        rows = list(found[:MOST_SHOWN])
        return Response({"data": records.ProgressRecord(rows, many=True).data, "total": len(rows)})

    @extend_schema(operation_id="retryDocuments", request=requests.IdsFields, responses={204: None})
    def retry(self, request: Request, dataset_id: str) -> Response:
        """Those that have failed; of the others nothing is wanted."""
        dataset = self.dataset(dataset_id)
        upkeep.retry(principal=self.principal, dataset=dataset, document_ids=self.body(requests.IdsFields)["document_ids"])
        return Response(status=204)


class Processing(KnowledgeViewSet):
    tag = "Documents"
    needs = {"update": EDIT, "pause": EDIT, "resume": EDIT}

    @extend_schema(operation_id="pauseDocument", request=None, responses={204: None})
    def pause(self, request: Request, dataset_id: str, document_id: str) -> Response:
        return self._step(dataset_id, document_id, "pause")

    @extend_schema(operation_id="resumeDocument", request=None, responses={204: None})
    def resume(self, request: Request, dataset_id: str, document_id: str) -> Response:
        return self._step(dataset_id, document_id, "resume")

    @extend_schema(operation_id="pauseOrResumeDocument", request=None, responses={204: None}, deprecated=True)
    def update(self, request: Request, dataset_id: str, document_id: str, action: str) -> Response:
        return self._step(dataset_id, document_id, action)

    def _step(self, dataset_id: str, document_id: str, action: str) -> Response:
        dataset, document = self.document(dataset_id, document_id)
        upkeep.step(principal=self.principal, dataset=dataset, document=document, action=action)
        return Response(status=204)


class Statuses(KnowledgeViewSet):
    tag = "Documents"
    needs = {"update": EDIT}

    @extend_schema(operation_id="updateDocumentStatuses", request=None, responses=ResultRecord)
    def update(self, request: Request, dataset_id: str, action: str) -> Response:
        dataset, chosen = self.dataset(dataset_id), request.query_params.getlist("document_id")[:MOST_SHOWN]
        documents.act(principal=self.principal, dataset=dataset, document_ids=chosen, action=action)
        return Response(SUCCESS)


class Downloads(KnowledgeViewSet):
    tag = "Documents"
    needs = {"retrieve": VIEW, "create": VIEW}
    keeps_answers = False

    @extend_schema(operation_id="downloadDocument", responses=records.UrlRecord)
    def retrieve(self, request: Request, dataset_id: str, document_id: str) -> Response:
        return Response({"url": addresses.signed_url(self.document(dataset_id, document_id)[1])})

    @extend_schema(
        operation_id="downloadDocumentsZip",
        request=requests.IdsFields,
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def create(self, request: Request, dataset_id: str) -> HttpResponseBase:
        dataset = self.dataset(dataset_id)
        rows = documents.several(dataset, self.body(requests.IdsFields)["document_ids"])
        for row in rows:
            addresses.demand_file(row, "Only uploaded-file documents can be downloaded as ZIP.")
        return ZipBody(rows, name=f"documents-{dataset.pk}.zip")


class DocumentsMetadata(KnowledgeViewSet):
    tag = "Metadata"
    needs = {"create": EDIT}

    @extend_schema(
        operation_id="writeDocumentsMetadata", request=dataset_requests.MetadataOperationsFields, responses={204: None}
    )
    def create(self, request: Request, dataset_id: str) -> Response:
        dataset = self.dataset(dataset_id)
        operations = self.body(dataset_requests.MetadataOperationsFields)["operation_data"]
        metadata.write(principal=self.principal, dataset=dataset, operations=operations)
        return Response(status=204)


document = f"{one}/documents/<str:document_id>"
routes = [
    path(f"{one}/indexing-status", Progress.as_view({"get": "of_dataset"})),
    path(f"{one}/error-docs", Progress.as_view({"get": "failed"})),
    path(f"{one}/retry", Progress.as_view({"post": "retry"})),
    path(f"{one}/batch/<str:batch>/indexing-status", Progress.as_view({"get": "of_batch"})),
    path(f"{one}/documents/download-zip", Downloads.as_view({"post": "create"})),
    path(f"{one}/documents/metadata", DocumentsMetadata.as_view({"post": "create"})),
    path(f"{one}/documents/status/<str:action>/batch", Statuses.as_view({"patch": "update"})),
    path(document, Documents.as_view({"get": "retrieve", "delete": "destroy"})),
    path(f"{document}/download", Downloads.as_view({"get": "retrieve"})),
    path(f"{document}/indexing-status", Progress.as_view({"get": "of_document"})),
    path(f"{document}/metadata", Documents.as_view({"put": "describe"})),
    path(f"{document}/processing/pause", Processing.as_view({"patch": "pause"})),
    path(f"{document}/processing/resume", Processing.as_view({"patch": "resume"})),
    path(f"{document}/processing/<str:action>", Processing.as_view({"patch": "update"})),
    path(f"{document}/rename", Documents.as_view({"post": "rename"})),
]
