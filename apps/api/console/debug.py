"""Debug runs: builders ask their app with a configuration that is not saved yet, and look at what it answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models import App
from apps.services import apps, message_details, messages
from difyproj.kernel.errors import DomainError, NotChatApp, NotCompletionApp
from difyproj.kernel.principal import Principal
from difyproj.tiers import idempotency
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import CHAT_MODES
from difyproj.tiers.console import ConsoleViewSet
from difyproj.tiers.fields import CursorField, LimitField, ObjectField

from .. import records, replies, requests
from ..questions import generate_request, trace_id
from ..stream_records import CHAT_STREAM, COMPLETION_STREAM
from .message_records import MessageDetailWindow


class OverrideField(ObjectField):
    """A configuration that stands in for the saved one in this run."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, **options})


class DebugChatFields(requests.ChatFields):
    user = None  # type: ignore[assignment]
    model_config = OverrideField()


class DebugCompletionFields(requests.CompletionFields):
    user = None  # type: ignore[assignment]
    model_config = OverrideField()


class HistoryFields(requests.Fields):
    conversation_id = serializers.UUIDField()
    first_id = CursorField()
    limit = LimitField()


class QuestionsRecord(records.Shape):
    data = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]


class DebugViewSet(ConsoleViewSet):
    """What the two message families share. A run belongs to the account that asked, and goes on without its stream."""

    tag = "Debug runs"
    needs = {"create": "app.edit", "stop": "app.run"}
    repeats_safely = True
    modes: ClassVar[frozenset[str]]
    wrong_mode: ClassVar[type[DomainError]]
    fields: ClassVar[type[requests.GenerateFields]]

    def asked_app(self, app_id: str) -> tuple[App, Principal]:
        app = self.app(app_id)
        if app.mode not in self.modes:
            raise self.wrong_mode
        return app, self.principal_for(app)

    def answer(self, request: Request, app_id: str) -> Deferred:
        app, principal = self.asked_app(app_id)
        apps.demand_normal(app)
        held = idempotency.once(request, principal)
        fields = self.body(self.fields)
        streaming = fields.get("response_mode") == "streaming"
        asked = generate_request(fields, trace_id(request, fields.get("trace_id")), streaming=streaming)
        asked = replace(asked, config_override=fields.get("model_config"), auto_generate_name=False, target=generation.DRAFT)
        run_id = generation.generate(principal, app, asked, once=held)
        allowed = self.still_allowed()
        return Deferred(lambda: replies.respond(principal, run_id, streaming=streaming, allowed=allowed))

    def stop(self, request: Request, app_id: str, task_id: str) -> Response:
        _, principal = self.asked_app(app_id)
        return replies.stop(principal, task_id)


class DebugChat(DebugViewSet):
    needs = {**DebugViewSet.needs, "list": "app.logs", "suggest": "app.edit"}
    modes = CHAT_MODES
    wrong_mode = NotChatApp
    fields = DebugChatFields

    @extend_schema(
        operation_id="debugChat",
        request=DebugChatFields,
        responses=replies.reply_responses(records.ChatReply, CHAT_STREAM),
    )
    def create(self, request: Request, app_id: str) -> Deferred:
        return self.answer(request, app_id)

    @extend_schema(operation_id="stopDebugChat", request=None, responses=records.ResultRecord)
    def stop(self, request: Request, app_id: str, task_id: str) -> Response:
        return super().stop(request, app_id, task_id)

    @extend_schema(operation_id="getChatMessages", parameters=[HistoryFields], responses=MessageDetailWindow)
    def list(self, request: Request, app_id: str) -> Response:
        """Any conversation of the app: the logs read theirs here too."""
        app, _ = self.asked_app(app_id)
        fields = self.query(HistoryFields)
        first_id, limit = fields.get("first_id"), fields["limit"]
        found = message_details.window(app, fields["conversation_id"], first_id=first_id, limit=limit)
        return Response(MessageDetailWindow(found).data)

    @extend_schema(operation_id="getDebugSuggestions", responses=QuestionsRecord)
    def suggest(self, request: Request, app_id: str, message_id: str) -> Deferred:
        app, principal = self.asked_app(app_id)
        plan = generation.plan_questions(app, messages.of_asker(principal, message_id))

        async def ask() -> Response:
            return Response({"data": await generation.ask_questions(plan)})

        return Deferred(ask)


class DebugCompletion(DebugViewSet):
    modes = frozenset({"completion"})
    wrong_mode = NotCompletionApp
    fields = DebugCompletionFields

    @extend_schema(
        operation_id="debugCompletion",
        request=DebugCompletionFields,
        responses=replies.reply_responses(records.CompletionReply, COMPLETION_STREAM),
    )
    def create(self, request: Request, app_id: str) -> Deferred:
        return self.answer(request, app_id)

    @extend_schema(operation_id="stopDebugCompletion", request=None, responses=records.ResultRecord)
    def stop(self, request: Request, app_id: str, task_id: str) -> Response:
        return super().stop(request, app_id, task_id)


chat, completion = "apps/<str:app_id>/chat-messages", "apps/<str:app_id>/completion-messages"
routes = [
    path(chat, DebugChat.as_view({"post": "create", "get": "list"})),
    path(f"{chat}/<str:task_id>/stop", DebugChat.as_view({"post": "stop"})),
    path(f"{chat}/<str:message_id>/suggested-questions", DebugChat.as_view({"get": "suggest"})),
    path(completion, DebugCompletion.as_view({"post": "create"})),
    path(f"{completion}/<str:task_id>/stop", DebugCompletion.as_view({"post": "stop"})),
]
