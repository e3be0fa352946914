"""Documents as the API tiers write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from datasets.models import Dataset, Document, MetadataField
from datasets.services import document_list
from datasets.services.document_list import Shown
from difyproj.infra.paging import Page
from difyproj.kernel import clock, jsonio
from difyproj.tiers.fields import EpochField, ObjectField
from difyproj.tiers.shapes import Shape


class MomentField(serializers.FloatField):
    """A moment as whole seconds since 1970, or nothing."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_null": True, **options})

    def to_representation(self, value: Any) -> Any:
        moment: datetime = value
        return clock.epoch(moment)


class Nothing(serializers.CharField):
    """A text, null where it is empty."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_null": True, **options})

    def to_representation(self, value: Any) -> Any:
        return str(value) or None


@extend_schema_field(OpenApiTypes.STR)
class ValueField(serializers.Field[Any, Any, Any, Any]):
    """Of whatever type, as the contract writes it: text."""

    def to_representation(self, value: Any) -> str:
        return value if isinstance(value, str) else jsonio.dumps_text(value)


class ValueRecord(Shape):
    id = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField()
    value = ValueField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        told: dict[str, Any] = super().to_representation(instance)
        return {**told, "value": "" if told["value"] is None else told["value"]}


class DocumentRecord(Shape):
    """``instance`` is a Shown."""

    id = serializers.UUIDField(source="document.pk")
    position = serializers.IntegerField(source="document.position")
    data_source_type = serializers.CharField(source="document.data_source_type")
    data_source_info = ObjectField(source="document.data_source_info")
    data_source_detail_dict = serializers.SerializerMethodField()
    dataset_process_rule_id = serializers.UUIDField(source="document.process_rule_id")
    name = serializers.CharField(source="document.name")
    created_from = serializers.CharField(source="document.created_from")
    created_by = serializers.SerializerMethodField()
    created_at = EpochField(source="document.created_at")
    tokens = serializers.IntegerField(source="document.tokens")
    indexing_status = serializers.CharField(source="document.indexing_status")
    error = Nothing(source="document.error")
    enabled = serializers.BooleanField(source="document.enabled")
    disabled_at = MomentField(source="document.disabled_at")
    disabled_by = serializers.UUIDField(source="document.disabled_by_id", allow_null=True)
    archived = serializers.BooleanField(source="document.archived")
    display_status = serializers.SerializerMethodField()
    word_count = serializers.IntegerField(source="document.word_count")
    hit_count = serializers.IntegerField(source="hits")
    doc_form = serializers.CharField(source="document.doc_form")
    doc_metadata = ValueRecord(source="values", many=True)
    summary_index_status = Nothing(source="document.summary_index_status")
    need_summary = serializers.SerializerMethodField()

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_data_source_detail_dict(self, row: Shown) -> dict[str, Any]:
        return detail(row.document)

    def get_created_by(self, row: Shown) -> str:
        return str(row.document.created_by_id or "")

    def get_display_status(self, row: Shown) -> str:
        return document_list.display_status(row.document)

    def get_need_summary(self, row: Shown) -> bool:
        return False


class DocumentPage(Shape):
    data = DocumentRecord(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    page = serializers.IntegerField()


class MadeRecord(Shape):
    document = DocumentRecord()
    batch = serializers.CharField()


class DetailRecord(Shape):
    """One document, a Shown; what ``metadata`` leaves out is not there. ``rule`` of the context is the dataset's latest."""

    id = serializers.UUIDField()
    position = serializers.IntegerField(required=False)
    data_source_type = serializers.CharField(required=False)
    data_source_info = ObjectField(required=False)
    dataset_process_rule_id = serializers.UUIDField(required=False)
    dataset_process_rule = ObjectField(required=False)
    document_process_rule = ObjectField(required=False)
    name = serializers.CharField(required=False)
    created_from = serializers.CharField(required=False)
    created_by = serializers.CharField(required=False)
    created_at = EpochField(required=False)
    tokens = serializers.IntegerField(required=False)
    indexing_status = serializers.CharField(required=False)
    error = Nothing(required=False)
    enabled = serializers.BooleanField(required=False)
    disabled_at = MomentField(required=False)
    disabled_by = serializers.UUIDField(required=False, allow_null=True)
    archived = serializers.BooleanField(required=False)
    display_status = serializers.CharField(required=False)
    hit_count = serializers.IntegerField(required=False)
    doc_form = serializers.CharField(required=False)
    doc_language = serializers.CharField(required=False)
    doc_type = Nothing(required=False)
    doc_metadata = ValueRecord(many=True, required=False)
    completed_at = MomentField(required=False)
    updated_at = MomentField(required=False)
    indexing_latency = serializers.FloatField(required=False, allow_null=True)
    segment_count = serializers.IntegerField(required=False)
    average_segment_length = serializers.FloatField(required=False)
    summary_index_status = Nothing(required=False)
    need_summary = serializers.BooleanField(required=False)

    def to_representation(self, instance: Shown) -> dict[str, Any]:
        row, last = instance.document, self.context.get("rule")
        told: dict[str, Any] = DocumentRecord(instance).data
        count = row.segment_count
        more = {
            "data_source_info": detail(row),
            "dataset_process_rule": {} if last is None else {"mode": last.mode, "rules": last.rules},
            "document_process_rule": dict(instance.process_rule),
            "doc_language": row.doc_language,
            "doc_type": row.doc_type or None,
            "completed_at": row.completed_at and clock.epoch(row.completed_at),
            "updated_at": clock.epoch(row.updated_at),
            "indexing_latency": row.indexing_latency,
            "segment_count": count,
            "average_segment_length": row.word_count // count if count else 0,
        }
        return {name: value for name, value in {**told, **more}.items() if name not in LISTED_ONLY}


LISTED_ONLY: Final = frozenset({"data_source_detail_dict", "word_count"})


class ProgressRecord(Shape):
    """How far a document of a batch is."""

    id = serializers.UUIDField()
    indexing_status = serializers.CharField()
    processing_started_at = MomentField()
    parsing_completed_at = MomentField()
    cleaning_completed_at = MomentField()
    splitting_completed_at = MomentField()
    completed_at = MomentField()
    paused_at = MomentField()
    error = Nothing()
    stopped_at = MomentField()
    completed_segments = serializers.IntegerField()
    total_segments = serializers.IntegerField(source="segment_count")


class ProgressList(Shape):
    data = ProgressRecord(many=True)  # type: ignore[assignment]


class UrlRecord(Shape):
    url = serializers.CharField()


def detail(document: Document) -> dict[str, Any]:
    """What the document is made of."""
    info = document.data_source_info
    if document.data_source_type != "upload_file":
        return dict(info)
    return {
        "upload_file": {
            "id": str(info.get("upload_file_id", "")),
            "name": document.name,
            "size": document.size,
            "extension": document.extension,
            "mime_type": document.mime_type,
            "created_by": str(document.created_by_id or ""),
            "created_at": clock.epoch(document.created_at),
        }
    }


def made(dataset: Dataset, document: Document) -> dict[str, Any]:
    (shown,) = document_list.show(dataset, [document])
    return {"document": DocumentRecord(shown).data, "batch": document.batch}


def document_page(dataset: Dataset, page: Page[Document], fields: Sequence[MetadataField] | None = None) -> dict[str, Any]:
    return page.body(lambda rows: DocumentRecord(document_list.show(dataset, rows, fields), many=True).data)
