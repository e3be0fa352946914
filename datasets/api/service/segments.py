"""Passages of a document, and the parts of them that are looked for in their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import files
from datasets.models import Dataset, Document, Segment
from datasets.services import child_chunks, documents, segments
from difyproj.kernel.errors import InvalidParam
from difyproj.tiers.datasets import DatasetViewSet

from .. import segment_records as records
from .. import segment_requests as requests


class SegmentViewSet(DatasetViewSet):
    tag = "Chunks"

    def found(self, dataset_id: str, document_id: str) -> tuple[Dataset, Document]:
        dataset = self.dataset(dataset_id)
        return dataset, documents.get(dataset, document_id)

    def attachments(self, ids: Sequence[UUID] | None) -> list[str] | None:
        """Raises InvalidParam for a file that is not the owner's."""
        if ids is None:
            return None
        wanted = [str(one) for one in ids]
        if set(wanted) - set(files.own(self.owner, wanted)):
            raise InvalidParam("A file of attachment_ids was not found.", params="attachment_ids")
        return wanted


class Segments(SegmentViewSet):
    @extend_schema(operation_id="listSegments", parameters=[requests.SegmentListFields], responses=records.SegmentPage)
    def list(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, document = self.found(dataset_id, document_id)
        fields = self.query(requests.SegmentListFields)
        page = segments.page(
            document,
            page=fields["page"],
            limit=fields["limit"],
            status=fields.get("status") or (),
            keyword=fields.get("keyword") or "",
        )
        return Response(records.segment_page(dataset, document, page))

    @extend_schema(operation_id="createSegments", request=requests.SegmentsFields, responses=records.SegmentList)
    def create(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, document = self.found(dataset_id, document_id)
        written = [self._written(one) for one in self.body(requests.SegmentsFields)["segments"]]
        rows = segments.create(principal=self.owner, dataset=dataset, document=document, written=written)
        return Response({"data": records.records(dataset, rows), "doc_form": document.doc_form})

    @extend_schema(operation_id="getSegmentDetail", responses=records.SegmentEnvelope)
    def retrieve(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        dataset, document = self.found(dataset_id, document_id)
        return Response(records.envelope(dataset, document, segments.get(document, segment_id)))

    @extend_schema(operation_id="updateSegment", request=requests.SegmentChangeFields, responses=records.SegmentEnvelope)
    def update(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        dataset, document = self.found(dataset_id, document_id)
        row, fields = segments.get(document, segment_id), self.body(requests.SegmentChangeFields)["segment"]
        fields["attachments"] = self.attachments(fields.pop("attachment_ids", None))
        changed = segments.update(principal=self.owner, dataset=dataset, document=document, segment=row, **fields)
        return Response(records.envelope(dataset, document, changed))

    @extend_schema(operation_id="deleteSegment", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        dataset, document = self.found(dataset_id, document_id)
        row = segments.get(document, segment_id)
        segments.delete(principal=self.owner, dataset=dataset, document=document, segments=[row])
        return Response(status=204)

    def _written(self, fields: dict[str, Any]) -> segments.Written:
        attachments = self.attachments(fields.get("attachment_ids")) or ()
        return segments.Written(fields["content"], fields.get("answer") or "", fields.get("keywords"), attachments)


class ChildChunks(SegmentViewSet):
    def segment(self, dataset_id: str, document_id: str, segment_id: str) -> tuple[Dataset, Document, Segment]:
        dataset, document = self.found(dataset_id, document_id)
        return dataset, document, segments.get(document, segment_id)

    @extend_schema(operation_id="getChildChunks", parameters=[requests.ChildChunkListFields], responses=records.ChildChunkPage)
    def list(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        _, _, segment = self.segment(dataset_id, document_id, segment_id)
        fields = self.query(requests.ChildChunkListFields)
        keyword = fields.get("keyword") or ""
        return Response(
            records.child_page(child_chunks.page(segment, page=fields["page"], limit=fields["limit"], keyword=keyword))
        )

    @extend_schema(operation_id="createChildChunk", request=requests.ChildChunkFields, responses=records.ChildChunkEnvelope)
    def create(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        dataset, document, segment = self.segment(dataset_id, document_id, segment_id)
        content = self.body(requests.ChildChunkFields)["content"]
        row = child_chunks.create(principal=self.owner, dataset=dataset, document=document, segment=segment, content=content)
        return Response({"data": records.ChildChunkRecord(row).data})

    @extend_schema(operation_id="updateChildChunk", request=requests.ChildChunkFields, responses=records.ChildChunkEnvelope)
    def update(self, request: Request, dataset_id: str, document_id: str, segment_id: str, child_chunk_id: str) -> Response:
        dataset, document, segment = self.segment(dataset_id, document_id, segment_id)
        child, content = child_chunks.get(segment, child_chunk_id), self.body(requests.ChildChunkFields)["content"]
        row = child_chunks.update(
            principal=self.owner, dataset=dataset, document=document, segment=segment, child=child, content=content
        )
        return Response({"data": records.ChildChunkRecord(row).data})

    @extend_schema(operation_id="deleteChildChunk", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str, document_id: str, segment_id: str, child_chunk_id: str) -> Response:
        dataset, _, segment = self.segment(dataset_id, document_id, segment_id)
        child = child_chunks.get(segment, child_chunk_id)
        child_chunks.delete(principal=self.owner, dataset=dataset, segment=segment, child=child)
        return Response(status=204)
