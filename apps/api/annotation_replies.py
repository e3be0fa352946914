"""Annotation replies as every tier sets and shows them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from apps.models import AnnotationReply, App
from apps.services import annotation_reply
from difyproj.infra.models import Job
from difyproj.kernel.errors import InvalidParam

from .annotation_records import JOB_STATES

ENABLE, DISABLE = "enable", "disable"
ACTION: Final = OpenApiParameter("action", OpenApiTypes.STR, OpenApiParameter.PATH, enum=[ENABLE, DISABLE])


class ReplyFields(serializers.Serializer[Any]):
    """Needed for turning it off, too, as the contract has it."""

    embedding_provider_name = serializers.CharField(max_length=255)
    embedding_model_name = serializers.CharField(max_length=255)
    score_threshold = serializers.FloatField(min_value=0, max_value=1)


class ThresholdFields(serializers.Serializer[Any]):
    score_threshold = serializers.FloatField(min_value=0, max_value=1)


class ReplyJobRecord(serializers.Serializer[Any]):
    job_id = serializers.UUIDField()
    job_status = serializers.ChoiceField(["waiting", "processing", "completed", "error"])


class ReplyJobStatus(ReplyJobRecord):
    error_msg = serializers.CharField(allow_blank=True)


class EmbeddingModelRecord(serializers.Serializer[Any]):
    embedding_provider_name = serializers.CharField()
    embedding_model_name = serializers.CharField()


class SettingRecord(serializers.Serializer[Any]):
    """Only ``enabled`` where it is off."""

    enabled = serializers.BooleanField()
    id = serializers.UUIDField(required=False)
    score_threshold = serializers.FloatField(required=False)
    embedding_model = EmbeddingModelRecord(required=False)


def act(app: App, action: str, fields: dict[str, Any], by: UUID | None) -> dict[str, Any]:
    """Turn it on or off: the job that does it. Raises InvalidParam, and what a model raises that cannot embed."""
    if action == ENABLE:
        row = annotation_reply.enable(
            app,
            provider=fields["embedding_provider_name"],
            model=fields["embedding_model_name"],
            score_threshold=fields["score_threshold"],
            by=by,
        )
    elif action == DISABLE:
        row = annotation_reply.disable(app, by=by)
    else:
        raise InvalidParam("action must be enable or disable.", params="action")
    return {"job_id": str(row.pk), "job_status": JOB_STATES[row.state]}


def status(row: Job) -> dict[str, Any]:
    return {"job_id": str(row.pk), "job_status": JOB_STATES[row.state], "error_msg": row.error}


def setting(row: AnnotationReply | None) -> dict[str, Any]:
    if row is None:
        return {"enabled": False}
    return {
        "enabled": True,
        "id": str(row.pk),
        "score_threshold": row.score_threshold,
        "embedding_model": {"embedding_provider_name": row.provider, "embedding_model_name": row.model},
    }
