"""The logs of an app: conversations with what became of them, and the builders' own feedback."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import conversations, logs, messages
from apps.services.logs import Filters
from difyproj.tiers.console import ConsoleViewSet

from ..records import SUCCESS, FeedbackList, FeedbackRecord, ResultRecord
from . import log_records
from .log_records import Line


class LogFields(serializers.Serializer[Any]):
    """Times are ``YYYY-MM-DD HH:MM`` in the account's time zone."""

    keyword = serializers.CharField(required=False, default="", allow_blank=True, max_length=255)
    start = serializers.CharField(required=False, default="", allow_blank=True, max_length=32)
    end = serializers.CharField(required=False, default="", allow_blank=True, max_length=32)
    annotation_status = serializers.ChoiceField(["all", "annotated", "not_annotated"], required=False, default="all")
    sort_by = serializers.ChoiceField(conversations.SORTS, required=False, default="-created_at")
    page = serializers.IntegerField(required=False, default=1, min_value=1, max_value=99_999)
    limit = serializers.IntegerField(required=False, default=20, min_value=1, max_value=100)


class FeedbackFields(serializers.Serializer[Any]):
    message_id = serializers.CharField(max_length=64)
    rating = serializers.ChoiceField(["like", "dislike"], allow_null=True, required=False, default=None)
    content = serializers.CharField(allow_null=True, allow_blank=True, required=False, default=None, max_length=10_000)


class FeedbackExportFields(serializers.Serializer[Any]):
    from_source = serializers.ChoiceField(["user", "admin"], required=False, default="", allow_blank=True)
    rating = serializers.ChoiceField(["like", "dislike"], required=False, default="", allow_blank=True)


class LogViewSet(ConsoleViewSet):
    """What the two families of logs share; they differ in how much a line tells."""

    tag = "Logs"
    needs = {"list": "app.logs", "retrieve": "app.logs", "destroy": "app.logs"}
    line_record: ClassVar[type[log_records.LineRecord]]
    detail_record: ClassVar[type[log_records.LineRecord]]

    def list(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.query(LogFields)
        page, limit, zone = fields.pop("page"), fields.pop("limit"), self.account.timezone
        start, end = (logs.parse_time(fields.pop(name), zone, field=name) for name in ("start", "end"))
        found = logs.conversations(app, Filters(start=start, end=end, **fields), page=page, limit=limit)
        facts = logs.facts_of(found.rows)
        return Response(found.body(lambda rows: self.line_record([Line(row, facts[row.pk]) for row in rows], many=True).data))

    def retrieve(self, request: Request, app_id: str, conversation_id: str) -> Response:
        row = logs.read(logs.get(self.app(app_id), conversation_id))
        return Response(self.detail_record(Line(row, logs.facts_of([row])[row.pk])).data)

    def destroy(self, request: Request, app_id: str, conversation_id: str) -> Response:
        logs.delete(self.app(app_id), conversation_id)
        return Response(status=204)


class ChatLogs(LogViewSet):
    line_record, detail_record = log_records.ChatLogRecord, log_records.ChatLogDetail

    @extend_schema(operation_id="getChatConversations", parameters=[LogFields], responses=log_records.ChatLogPage)
    def list(self, request: Request, app_id: str) -> Response:
        return super().list(request, app_id)

    @extend_schema(operation_id="getChatConversation", responses=log_records.ChatLogDetail)
    def retrieve(self, request: Request, app_id: str, conversation_id: str) -> Response:
        return super().retrieve(request, app_id, conversation_id)

    @extend_schema(operation_id="deleteChatConversation", request=None, responses={204: None})
    def destroy(self, request: Request, app_id: str, conversation_id: str) -> Response:
        return super().destroy(request, app_id, conversation_id)


class CompletionLogs(LogViewSet):
    line_record, detail_record = log_records.CompletionLogRecord, log_records.CompletionLogDetail

    @extend_schema(operation_id="getCompletionConversations", parameters=[LogFields], responses=log_records.CompletionLogPage)
    def list(self, request: Request, app_id: str) -> Response:
        return super().list(request, app_id)

    @extend_schema(operation_id="getCompletionConversation", responses=log_records.CompletionLogDetail)
    def retrieve(self, request: Request, app_id: str, conversation_id: str) -> Response:
        return super().retrieve(request, app_id, conversation_id)

    @extend_schema(operation_id="deleteCompletionConversation", request=None, responses={204: None})
    def destroy(self, request: Request, app_id: str, conversation_id: str) -> Response:
        return super().destroy(request, app_id, conversation_id)


class Feedbacks(ConsoleViewSet):
    """The builders' side of the feedback; the people's own comes through the published tiers."""

    tag = "Logs"
    needs = {"create": "app.view", "export": "app.logs"}

    @extend_schema(operation_id="giveFeedback", request=FeedbackFields, responses=ResultRecord)
    def create(self, request: Request, app_id: str) -> Response:
        fields = self.body(FeedbackFields)
        message = logs.message(self.app(app_id), fields["message_id"])
        messages.rate(message, self.principal, rating=fields["rating"], content=fields["content"])
        return Response(SUCCESS)

    @extend_schema(operation_id="exportFeedbacks", parameters=[FeedbackExportFields], responses=FeedbackList)
    def export(self, request: Request, app_id: str) -> Response:
        rows = logs.feedbacks(self.app(app_id), **self.query(FeedbackExportFields))
        return Response({"data": FeedbackRecord(rows, many=True).data})


chats, completions = "apps/<str:app_id>/chat-conversations", "apps/<str:app_id>/completion-conversations"
routes = [
    path(chats, ChatLogs.as_view({"get": "list"})),
    path(f"{chats}/<str:conversation_id>", ChatLogs.as_view({"get": "retrieve", "delete": "destroy"})),
    path(completions, CompletionLogs.as_view({"get": "list"})),
    path(f"{completions}/<str:conversation_id>", CompletionLogs.as_view({"get": "retrieve", "delete": "destroy"})),
    path("apps/<str:app_id>/feedbacks", Feedbacks.as_view({"post": "create"})),
    path("apps/<str:app_id>/feedbacks/export", Feedbacks.as_view({"get": "export"})),
]
