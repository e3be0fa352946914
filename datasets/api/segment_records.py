"""Segments and their children as the API tiers write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.models import UploadFile
from apps.services import files
from datasets.models import ChildChunk, Dataset, Document, Segment
from datasets.services import segments
from difyproj.infra.paging import Page
from difyproj.tiers.fields import EpochField
from difyproj.tiers.shapes import Shape

from .document_records import MomentField, Nothing


class ChildChunkRecord(serializers.ModelSerializer[ChildChunk]):
    created_at = EpochField()
    updated_at = EpochField()

    class Meta:
        model = ChildChunk
        fields = ("id", "segment_id", "content", "position", "word_count", "type", "created_at", "updated_at")
        read_only_fields = fields


class AttachmentRecord(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    size = serializers.IntegerField()
    extension = serializers.CharField()
    mime_type = serializers.CharField()
    source_url = serializers.SerializerMethodField()

    def get_source_url(self, row: UploadFile) -> str:
        return files.signed_url(row)


class SegmentRecord(serializers.ModelSerializer[Segment]):
    """``children`` and ``files`` of the context are those of all rows that are written."""

    sign_content = serializers.CharField(source="content")
    disabled_at = MomentField()
    disabled_by = serializers.UUIDField(source="disabled_by_id", allow_null=True)
    created_by = serializers.SerializerMethodField()
    created_at = EpochField()
    updated_at = EpochField()
    updated_by = serializers.SerializerMethodField()
    indexing_at = MomentField()
    completed_at = MomentField()
    error = Nothing()
    stopped_at = MomentField()
    child_chunks = serializers.SerializerMethodField()
    attachments = serializers.SerializerMethodField()
    summary = Nothing()
    keywords = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Segment
        fields = (
            "id", "position", "document_id", "content", "sign_content", "answer", "word_count", "tokens", "keywords",
            "index_node_id", "index_node_hash", "hit_count", "enabled", "disabled_at", "disabled_by", "status", "created_by",
            "created_at", "updated_at", "updated_by", "indexing_at", "completed_at", "error", "stopped_at", "child_chunks",
            "attachments", "summary",
        )  # fmt: skip
        read_only_fields = fields

    def get_created_by(self, row: Segment) -> str:
        return str(row.created_by_id or "")

    def get_updated_by(self, row: Segment) -> str:
        return str(row.updated_by_id or row.created_by_id or "")

    @extend_schema_field(ChildChunkRecord(many=True))
    def get_child_chunks(self, row: Segment) -> Any:
        return ChildChunkRecord(self.context["children"].get(row.pk, ()), many=True).data

    @extend_schema_field(AttachmentRecord(many=True))
    def get_attachments(self, row: Segment) -> Any:
        known: Mapping[str, UploadFile] = self.context["files"]
        return AttachmentRecord([known[key] for key in row.attachments if key in known], many=True).data


class SegmentEnvelope(Shape):
    data = SegmentRecord()  # type: ignore[assignment]
    doc_form = serializers.CharField()


class SegmentList(Shape):
    data = SegmentRecord(many=True)  # type: ignore[assignment]
    doc_form = serializers.CharField()


class SegmentPage(SegmentList):
    total = serializers.IntegerField()
    has_more = serializers.BooleanField()
    limit = serializers.IntegerField()
    page = serializers.IntegerField()


class ChildChunkEnvelope(Shape):
    data = ChildChunkRecord()  # type: ignore[assignment]


class ChildChunkPage(Shape):
    data = ChildChunkRecord(many=True)  # type: ignore[assignment]
    total = serializers.IntegerField()
    total_pages = serializers.IntegerField()
    page = serializers.IntegerField()
    limit = serializers.IntegerField()


def records(dataset: Dataset, rows: Sequence[Segment]) -> Any:
    context = {"children": segments.children(rows), "files": attached(dataset.tenant_id, rows)}
    return SegmentRecord(rows, many=True, context=context).data


def envelope(dataset: Dataset, document: Document, row: Segment) -> dict[str, Any]:
    return {"data": records(dataset, [row])[0], "doc_form": document.doc_form}


def segment_page(dataset: Dataset, document: Document, page: Page[Segment]) -> dict[str, Any]:
    return {**page.body(lambda rows: records(dataset, rows)), "doc_form": document.doc_form}


def child_page(page: Page[ChildChunk]) -> dict[str, Any]:
    return {
        "data": ChildChunkRecord(page.rows, many=True).data,
        "total": page.total,
        "total_pages": -(-page.total // page.limit),
        "page": page.page,
        "limit": page.limit,
    }


def attached(tenant_id: UUID, rows: Sequence[Segment]) -> dict[str, UploadFile]:
    """The files that segments carry, by their ids."""
    wanted = {key for row in rows for key in row.attachments}
    found = UploadFile.objects.for_tenant(tenant_id).filter(pk__in=wanted) if wanted else ()
    return {str(row.pk): row for row in found}
