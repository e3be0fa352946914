"""Documents of a dataset: lists, details, and what is done with several at once."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.services import addresses, document_list, documents
from difyproj.tiers.datasets import DatasetViewSet
from difyproj.tiers.schema import ResultRecord
from difyproj.tiers.shapes import SUCCESS

from .. import details
from .. import document_records as records
from .. import document_requests as requests
from ..zips import ZipBody


class Documents(DatasetViewSet):
    tag = "Documents"

    @extend_schema(operation_id="listDocuments", parameters=[requests.DocumentListFields], responses=records.DocumentPage)
    def list(self, request: Request, dataset_id: str) -> Response:
        dataset, fields = self.dataset(dataset_id), self.query(requests.DocumentListFields)
        page = document_list.page(
            dataset,
            page=fields["page"],
            limit=fields["limit"],
            keyword=fields.get("keyword") or "",
            status=fields.get("status") or "",
        )
        return Response(records.document_page(dataset, page))

    @extend_schema(operation_id="getDocumentDetail", parameters=[requests.DetailFields], responses=records.DetailRecord)
    def retrieve(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset = self.dataset(dataset_id)
        document = documents.get(dataset, document_id)
        return Response(details.told(dataset, document, self.query(requests.DetailFields).get("metadata") or ""))

    @extend_schema(operation_id="deleteDocument", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset = self.dataset(dataset_id)
        documents.delete(principal=self.owner, dataset=dataset, document=documents.get(dataset, document_id))
        return Response(status=204)


class DocumentProgress(DatasetViewSet):
    tag = "Documents"

    @extend_schema(operation_id="getDocumentIndexingStatus", responses=records.ProgressList)
    def list(self, request: Request, dataset_id: str, batch: str) -> Response:
        rows = documents.of_batch(self.dataset(dataset_id), batch)
        return Response({"data": records.ProgressRecord(rows, many=True).data})


class DocumentStatus(DatasetViewSet):
    tag = "Documents"

    @extend_schema(operation_id="batchUpdateDocumentStatus", request=requests.IdsFields, responses=ResultRecord)
    def update(self, request: Request, dataset_id: str, action: str) -> Response:
        dataset, fields = self.dataset(dataset_id), self.body(requests.IdsFields)
        documents.act(principal=self.owner, dataset=dataset, document_ids=fields["document_ids"], action=action)
        return Response(SUCCESS)


class DocumentDownload(DatasetViewSet):
    tag = "Documents"
    counted = frozenset({"GET"})

    @extend_schema(operation_id="downloadDocument", responses=records.UrlRecord)
    def retrieve(self, request: Request, dataset_id: str, document_id: str) -> Response:
        document = documents.get(self.dataset(dataset_id), document_id)
        return Response({"url": addresses.signed_url(document)})


class DocumentsZip(DatasetViewSet):
    tag = "Documents"
    keeps_answers = False

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
