"""Passages of a document and their children, as members read and mend them."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.models import ChildChunk, Dataset, Document, Segment
from datasets.services import child_chunks, segments
from datasets.services.refusals import InvalidAction
from difyproj.tiers.schema import ResultRecord
from difyproj.tiers.shapes import SUCCESS, Fields, Shape

from .. import segment_records as records
from .. import segment_requests as requests
from .base import EDIT, VIEW, KnowledgeViewSet
from .documents import MOST_SHOWN, document

SWITCHES = {"enable": True, "disable": False}


class SegmentQuery(requests.SegmentListFields):
    hit_count_gte = serializers.IntegerField(required=False, allow_null=True, min_value=0)
    enabled = serializers.ChoiceField(["all", "true", "false"], required=False, default="all")


class ChildChunkItem(Fields):
    id = serializers.UUIDField(required=False, allow_null=True)
    content = requests.QueryField(allow_blank=False, max_length=requests.LONGEST)


class ChildChunksFields(Fields):
    """``id`` names a chunk that stays, with its text as it is given; those that are not named go."""

    chunks = serializers.ListField(child=ChildChunkItem(), max_length=1_000)


class ChildChunkList(Shape):
    data = records.ChildChunkRecord(many=True)  # type: ignore[assignment]


class Segments(KnowledgeViewSet):
    tag = "Segments"
    needs = {"list": VIEW, "create": EDIT, "update": EDIT, "destroy": EDIT, "destroy_many": EDIT, "switch": EDIT}

    @extend_schema(operation_id="listSegments", parameters=[SegmentQuery], responses=records.SegmentPage)
    def list(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, row = self.document(dataset_id, document_id)
        fields = self.query(SegmentQuery)
        page = segments.page(
            row,
            page=fields["page"],
            limit=fields["limit"],
            status=fields.get("status") or (),
            keyword=fields.get("keyword") or "",
            enabled=None if fields["enabled"] == "all" else fields["enabled"] == "true",
            hits=fields.get("hit_count_gte"),
        )
        return Response(records.segment_page(dataset, row, page))

    @extend_schema(operation_id="createSegment", request=requests.NewSegmentFields, responses=records.SegmentEnvelope)
    def create(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, row = self.document(dataset_id, document_id)
        fields = self.body(requests.NewSegmentFields)
        files = self.attachments(fields.get("attachment_ids")) or ()
        written = segments.Written(fields["content"], fields.get("answer") or "", fields.get("keywords"), files)
        (made,) = segments.create(principal=self.principal, dataset=dataset, document=row, written=[written])
        return Response(records.envelope(dataset, row, made))

    @extend_schema(operation_id="updateSegment", request=requests.ChangedSegmentFields, responses=records.SegmentEnvelope)
    def update(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        dataset, row, segment = self.segment(dataset_id, document_id, segment_id)
        fields = self.body(requests.ChangedSegmentFields)
        fields["attachments"] = self.attachments(fields.pop("attachment_ids", None))
        changed = segments.update(principal=self.principal, dataset=dataset, document=row, segment=segment, **fields)
        return Response(records.envelope(dataset, row, changed))

    @extend_schema(operation_id="deleteSegment", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        dataset, row, segment = self.segment(dataset_id, document_id, segment_id)
        segments.delete(principal=self.principal, dataset=dataset, document=row, segments=[segment])
        return Response(status=204)

    @extend_schema(operation_id="deleteSegments", request=None, responses={204: None})
    def destroy_many(self, request: Request, dataset_id: str, document_id: str) -> Response:
        dataset, row = self.document(dataset_id, document_id)
        chosen = self._chosen(row)
        segments.delete(principal=self.principal, dataset=dataset, document=row, segments=chosen)
        return Response(status=204)

    @extend_schema(operation_id="switchSegments", request=None, responses=ResultRecord)
    def switch(self, request: Request, dataset_id: str, document_id: str, action: str) -> Response:
        dataset, row = self.document(dataset_id, document_id)
        if action not in SWITCHES:
            raise InvalidAction
        chosen = self._chosen(row)
        segments.switch(principal=self.principal, dataset=dataset, document=row, segments=chosen, enabled=SWITCHES[action])
        return Response(SUCCESS)

    def _chosen(self, row: Document) -> Any:
        return segments.several(row, self.request.query_params.getlist("segment_id")[:MOST_SHOWN])


class Children(KnowledgeViewSet):
    tag = "Segments"
    needs = {"list": VIEW, "create": EDIT, "update": EDIT, "replace": EDIT, "destroy": EDIT}

    @extend_schema(operation_id="listChildChunks", parameters=[requests.ChildChunkListFields], responses=records.ChildChunkPage)
    def list(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        _, _, segment = self.segment(dataset_id, document_id, segment_id)
        fields = self.query(requests.ChildChunkListFields)
        keyword = fields.get("keyword") or ""
        page = child_chunks.page(segment, page=fields["page"], limit=fields["limit"], keyword=keyword)
        return Response(records.child_page(page))

    @extend_schema(operation_id="createChildChunk", request=requests.ChildChunkFields, responses=records.ChildChunkEnvelope)
    def create(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        dataset, row, segment = self.segment(dataset_id, document_id, segment_id)
        content = self.body(requests.ChildChunkFields)["content"]
        made = child_chunks.create(principal=self.principal, dataset=dataset, document=row, segment=segment, content=content)
        return Response({"data": records.ChildChunkRecord(made).data})

    @extend_schema(operation_id="replaceChildChunks", request=ChildChunksFields, responses=ChildChunkList)
    def replace(self, request: Request, dataset_id: str, document_id: str, segment_id: str) -> Response:
        dataset, row, segment = self.segment(dataset_id, document_id, segment_id)
        self._replace(dataset, row, segment, self.body(ChildChunksFields)["chunks"])
        kept = ChildChunk.objects.filter(segment=segment)
        return Response({"data": records.ChildChunkRecord(kept, many=True).data})

    @extend_schema(operation_id="updateChildChunk", request=requests.ChildChunkFields, responses=records.ChildChunkEnvelope)
    def update(self, request: Request, dataset_id: str, document_id: str, segment_id: str, child_chunk_id: str) -> Response:
        dataset, row, segment = self.segment(dataset_id, document_id, segment_id)
        child, content = child_chunks.get(segment, child_chunk_id), self.body(requests.ChildChunkFields)["content"]
        changed = child_chunks.update(
            principal=self.principal, dataset=dataset, document=row, segment=segment, child=child, content=content
        )
        return Response({"data": records.ChildChunkRecord(changed).data})

    @extend_schema(operation_id="deleteChildChunk", request=None, responses={204: None})
    def destroy(self, request: Request, dataset_id: str, document_id: str, segment_id: str, child_chunk_id: str) -> Response:
        dataset, _, segment = self.segment(dataset_id, document_id, segment_id)
        child = child_chunks.get(segment, child_chunk_id)
        child_chunks.delete(principal=self.principal, dataset=dataset, segment=segment, child=child)
        return Response(status=204)

    def _replace(self, dataset: Dataset, row: Document, segment: Segment, given: Any) -> None:
        child_chunks.replace(
            principal=self.principal,
            dataset=dataset,
            document=row,
            segment=segment,
            chunks=[(chunk.get("id"), chunk["content"]) for chunk in given],
        )


segment = f"{document}/segments/<str:segment_id>"
routes = [
    path(f"{document}/segment", Segments.as_view({"post": "create"})),
    path(f"{document}/segment/<str:action>", Segments.as_view({"patch": "switch"})),
    path(f"{document}/segments", Segments.as_view({"get": "list", "delete": "destroy_many"})),
    path(segment, Segments.as_view({"patch": "update", "delete": "destroy"})),
    path(f"{segment}/child_chunks", Children.as_view({"get": "list", "post": "create", "patch": "replace"})),
    path(f"{segment}/child_chunks/<str:child_chunk_id>", Children.as_view({"patch": "update", "delete": "destroy"})),
]
