"""Annotations as every tier reads and shows them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.models import Annotation, AnnotationHit
from apps.services.annotation import LONGEST_TEXT
from difyproj.infra.models import Job
from difyproj.tiers.fields import EpochField

JOB_STATES = {
    "waiting": "waiting", "running": "processing", "succeeded": "completed", "failed": "error", "cancelled": "error",
}  # fmt: skip


class AnnotationFields(serializers.Serializer[Any]):
    question = serializers.CharField(max_length=LONGEST_TEXT)
    answer = serializers.CharField(max_length=LONGEST_TEXT)


class PageFields(serializers.Serializer[Any]):
    page = serializers.IntegerField(required=False, default=1, min_value=1, max_value=99_999)
    limit = serializers.IntegerField(required=False, default=20, min_value=1, max_value=100)


class AnnotationListFields(PageFields):
    keyword = serializers.CharField(required=False, default="", allow_blank=True, max_length=255)


class AnnotationRecord(serializers.ModelSerializer[Annotation]):
    answer = serializers.CharField(source="content")
    created_at = EpochField()

    class Meta:
        model = Annotation
        fields = ("id", "question", "answer", "hit_count", "created_at")
        read_only_fields = fields


class AnnotationPage(serializers.Serializer[Any]):
    data = AnnotationRecord(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    page = serializers.IntegerField()


class HitRecord(serializers.ModelSerializer[AnnotationHit]):
    match = serializers.CharField(source="annotation_question")
    response = serializers.CharField(source="annotation_content")
    created_at = EpochField()

    class Meta:
        model = AnnotationHit
        fields = ("id", "source", "score", "question", "created_at", "match", "response")
        read_only_fields = fields


class HitPage(serializers.Serializer[Any]):
    data = HitRecord(many=True)  # type: ignore[assignment]
    has_more = serializers.BooleanField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    page = serializers.IntegerField()


class ImportRecord(serializers.Serializer[Any]):
    job_id = serializers.UUIDField()
    job_status = serializers.ChoiceField(["waiting", "processing", "completed", "error"])
    error_msg = serializers.CharField(allow_blank=True)
    record_count = serializers.IntegerField(required=False)


def import_record(job: Job) -> dict[str, Any]:
    """The state of an import as the contract names it."""
    return {
        "job_id": str(job.pk),
        "job_status": JOB_STATES[job.state],
        "error_msg": job.error,
        "record_count": (job.result or {}).get("record_count", job.progress_done),
    }


def annotation_page(rows: list[Annotation]) -> Any:
    return AnnotationRecord(rows, many=True).data
