"""Messages in detail, as builders see them in logs and debug runs."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.services.message_details import Detailed
from difyproj.tiers.fields import EpochField, ObjectField

from ..records import MessageFileRecord, Shape


class PersonRecord(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.CharField()


class GivenFeedback(Shape):
    rating = serializers.CharField()
    content = serializers.CharField(allow_null=True)
    from_source = serializers.CharField()
    from_end_user_id = serializers.UUIDField(allow_null=True)
    from_account = PersonRecord(allow_null=True)


class WrittenAnswer(Shape):
    """The annotation that corrects the message."""

    id = serializers.UUIDField()
    question = serializers.CharField()
    content = serializers.CharField()
    account = PersonRecord(allow_null=True)
    created_at = serializers.IntegerField()


class AnnotationUse(Shape):
    """The annotation that was given as the answer."""

    annotation_id = serializers.UUIDField()
    annotation_create_account = PersonRecord(allow_null=True)
    created_at = serializers.IntegerField()


class MessageDetail(Shape):
    """``message`` is the prompt as rows keep it: none. Thoughts and forms belong to agents and workflows."""

    id = serializers.UUIDField(source="row.id")
    conversation_id = serializers.UUIDField(source="row.conversation_id")
    inputs = ObjectField(source="row.inputs")
    query = serializers.CharField(source="row.query")
    message = serializers.SerializerMethodField()
    message_tokens = serializers.IntegerField(source="row.message_tokens")
    answer = serializers.CharField(source="row.answer")
    answer_tokens = serializers.IntegerField(source="row.answer_tokens")
    provider_response_latency = serializers.FloatField(source="row.latency")
    from_source = serializers.SerializerMethodField()
    from_end_user_id = serializers.UUIDField(source="row.end_user_id", allow_null=True)
    from_account_id = serializers.UUIDField(source="row.account_id", allow_null=True)
    feedbacks = serializers.SerializerMethodField()
    workflow_run_id = serializers.SerializerMethodField()
    annotation = serializers.SerializerMethodField()
    annotation_hit_history = serializers.SerializerMethodField()
    created_at = EpochField(source="row.created_at")
    agent_thoughts = serializers.SerializerMethodField()
    message_files = MessageFileRecord(source="row.files", many=True)
    metadata = ObjectField(source="row.metadata")
    status = serializers.CharField(source="row.status")
    error = serializers.CharField(source="row.error", allow_null=True)
    parent_message_id = serializers.UUIDField(source="row.parent_message_id", allow_null=True)
    extra_contents = serializers.SerializerMethodField()

    def _none(self, one: Detailed) -> list[dict[str, Any]]:
        return []

    get_message = get_agent_thoughts = get_extra_contents = _none

    def get_workflow_run_id(self, one: Detailed) -> str | None:
        return None

    def get_from_source(self, one: Detailed) -> str:
        return "api" if one.row.account_id is None else "console"

    @extend_schema_field(GivenFeedback(many=True))
    def get_feedbacks(self, one: Detailed) -> list[dict[str, Any]]:
        return [
            {
                "rating": given.rating,
                "content": given.content,
                "from_source": given.from_source,
                "from_end_user_id": given.end_user_id and str(given.end_user_id),
                "from_account": _person(one, given.account_id),
            }
            for given in one.row.feedbacks.all()
        ]

    @extend_schema_field(WrittenAnswer(allow_null=True))
    def get_annotation(self, one: Detailed) -> dict[str, Any] | None:
        row = one.annotation
        if row is None:
            return None
        return {
            "id": str(row.pk),
            "question": row.question,
            "content": row.content,
            "account": _person(one, row.account_id),
            "created_at": _epoch(row.created_at),
        }

    @extend_schema_field(AnnotationUse(allow_null=True))
    def get_annotation_hit_history(self, one: Detailed) -> dict[str, Any] | None:
        hit = one.hit
        if hit is None:
            return None
        return {
            "annotation_id": str(hit.annotation_id),
            "annotation_create_account": _person(one, hit.annotation.account_id),
            "created_at": _epoch(hit.created_at),
        }


class MessageDetailWindow(Shape):
    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = MessageDetail(source="rows", many=True)  # type: ignore[assignment]


def _person(one: Detailed, account_id: Any) -> dict[str, str] | None:
    found = one.accounts.get(account_id)
    return {"id": str(found.pk), "name": found.name, "email": found.email} if found else None


def _epoch(moment: Any) -> int:
    return EpochField().to_representation(moment)
