"""What was found, as the API tiers write it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from datasets.models import Document, Segment
from datasets.services.retrieval import Passage, Passages
from difyproj.tiers.fields import ObjectField
from difyproj.tiers.shapes import Shape

from .document_records import Nothing
from .segment_records import AttachmentRecord, SegmentRecord

NOT_FOUND_WITH = frozenset({"updated_at", "updated_by", "child_chunks", "attachments", "summary"})


class FoundDocumentRecord(serializers.ModelSerializer[Document]):
    doc_type = Nothing()
    doc_metadata = ObjectField()

    class Meta:
        model = Document
        fields = ("id", "data_source_type", "name", "doc_type", "doc_metadata")
        read_only_fields = fields


class FoundSegmentRecord(SegmentRecord):
    document = FoundDocumentRecord()

    class Meta:
        model = Segment
        fields = tuple([name for name in SegmentRecord.Meta.fields if name not in NOT_FOUND_WITH] + ["document"])
        read_only_fields = fields

    updated_at = updated_by = child_chunks = attachments = summary = None  # type: ignore[assignment]


class FoundChildRecord(Shape):
    id = serializers.UUIDField()
    content = serializers.CharField()
    position = serializers.IntegerField()
    score = serializers.FloatField()


class FoundRecord(Shape):
    """``instance`` is a Passage. What an external system said has no segment, but ``content``, ``title`` and ``metadata``."""

    segment = FoundSegmentRecord(required=False)
    child_chunks = FoundChildRecord(many=True, source="children", required=False)
    score = serializers.FloatField()
    tsne_position = ObjectField(required=False, allow_null=True)
    files = AttachmentRecord(many=True, required=False)
    summary = serializers.CharField(required=False, allow_null=True)
    content = serializers.CharField(required=False)
    title = serializers.CharField(required=False)
    metadata = ObjectField(required=False)

    def to_representation(self, instance: Passage) -> dict[str, Any]:
        said = instance.external
        if said is not None:
            return {
                "content": said.content, "title": said.title, "score": instance.score, "metadata": dict(said.metadata),
            }  # fmt: skip
        assert instance.segment is not None  # a passage is one of the two
        return {
            "segment": FoundSegmentRecord(instance.segment).data,
            "child_chunks": FoundChildRecord(instance.children, many=True).data,
            "score": instance.score,
            "tsne_position": None,
            "files": self._files(instance.segment),
            "summary": instance.segment.summary or None,
        }

    def _files(self, segment: Segment) -> Any:
        known = self.context["files"]
        return AttachmentRecord([known[key] for key in segment.attachments if key in known], many=True).data


class QueryRecord(Shape):
    content = serializers.CharField()


class FoundList(Shape):
    query = QueryRecord()
    records = FoundRecord(many=True)


def found(passages: Passages, files: dict[str, Any]) -> dict[str, Any]:
    rows = FoundRecord(passages.passages, many=True, context={"files": files}).data
    return {"query": {"content": passages.query}, "records": rows}
