"""Lines and details of the logs, as the Console API shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.models import Conversation
from apps.services import conversations
from apps.services.logs import Facts
from difyproj.tiers.fields import EpochField, ObjectField


@dataclass(frozen=True, slots=True)
class Line:
    """A conversation with its facts."""

    row: Conversation
    facts: Facts


RATINGS = {"type": "object", "properties": {"like": {"type": "integer"}, "dislike": {"type": "integer"}}}


@extend_schema_field(RATINGS)
class RatingsField(serializers.Field[Any, Any, Any, Any]):
    """(likes, dislikes)."""

    def to_representation(self, value: tuple[int, int]) -> dict[str, int]:
        return {"like": value[0], "dislike": value[1]}


class LineRecord(serializers.Serializer[Any]):
    """What the lines of all logs tell."""

    id = serializers.UUIDField(source="row.id")
    status = serializers.CharField(source="row.status")
    from_source = serializers.SerializerMethodField()
    from_end_user_id = serializers.UUIDField(source="row.end_user_id", allow_null=True)
    from_end_user_session_id = serializers.CharField(source="row.end_user.session_id", default=None, allow_null=True)
    from_account_id = serializers.UUIDField(source="row.account_id", allow_null=True)
    from_account_name = serializers.CharField(source="facts.account_name", allow_null=True)
    created_at = EpochField(source="row.created_at")
    updated_at = EpochField(source="row.updated_at")
    read_at = serializers.SerializerMethodField()
    annotated = serializers.BooleanField(source="facts.annotated")
    message_count = serializers.IntegerField(source="facts.messages")
    user_feedback_stats = RatingsField(source="facts.user")
    admin_feedback_stats = RatingsField(source="facts.admin")
    model_config = serializers.SerializerMethodField()

    def get_from_source(self, line: Line) -> str:
        return "api" if line.row.account_id is None else "console"

    def get_read_at(self, line: Line) -> int | None:
        return None if line.row.read_at is None else EpochField().to_representation(line.row.read_at)

    def get_model_config(self, line: Line) -> dict[str, Any]:
        first = line.facts.first
        return {"model": {"provider": first.model_provider, "name": first.model_name}} if first else {}


class StatusCount(serializers.Serializer[Any]):
    success = serializers.IntegerField()
    failed = serializers.IntegerField()
    partial_success = serializers.IntegerField()


class ChatLogRecord(LineRecord):
    name = serializers.SerializerMethodField()
    summary = serializers.SerializerMethodField()
    status_count = serializers.SerializerMethodField()

    def get_name(self, line: Line) -> str:
        return line.row.name or conversations.DEFAULT_NAME

    def get_summary(self, line: Line) -> str:
        """The first question; what a person recognises the conversation by."""
        return line.facts.first.query if line.facts.first else ""

    @extend_schema_field(StatusCount)
    def get_status_count(self, line: Line) -> dict[str, int]:
        return {"success": line.facts.messages - line.facts.failed, "failed": line.facts.failed, "partial_success": 0}


class FirstMessageRecord(serializers.Serializer[Any]):
    inputs = ObjectField()
    query = serializers.CharField()
    message = serializers.CharField(source="query")
    answer = serializers.CharField()


class CompletionLogRecord(LineRecord):
    message = FirstMessageRecord(source="facts.first", allow_null=True)


class ChatLogDetail(ChatLogRecord):
    inputs = ObjectField(source="row.inputs")
    introduction = serializers.CharField(source="row.introduction")


class CompletionLogDetail(CompletionLogRecord):
    inputs = ObjectField(source="row.inputs")


class ChatLogPage(serializers.Serializer[Any]):
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = ChatLogRecord(many=True)  # type: ignore[assignment]


class CompletionLogPage(ChatLogPage):
    data = CompletionLogRecord(many=True)  # type: ignore[assignment]
