"""Chat and completion messages of visitors: ask, stop, ask again, follow."""

from __future__ import annotations

from typing import ClassVar

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.generation import GenerateRequest, Once
from apps.services import features, messages
from difyproj.kernel.errors import DomainError, NotCompletionApp
from difyproj.tiers import idempotency, throttling
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import CHAT_MODES
from difyproj.tiers.web import WebViewSet

from .. import replies
from ..questions import asked_again, generate_request, trace_id
from ..records import ResultRecord
from ..requests import GenerateFields
from . import records, requests
from .stream_records import CHAT_STREAM, COMPLETION_STREAM

COMPLETION_MODES = frozenset({"completion"})


class GenerateViewSet(WebViewSet):
    """What the routes that ask the app share."""

    repeats_safely = True

    def begin(self, asked: GenerateRequest, *, once: Once | None = None) -> Deferred:
        run_id = generation.generate(self.principal, self.app, asked, once=once)
        allowed = self.still_allowed()
        return Deferred(lambda: replies.respond(self.principal, run_id, streaming=asked.streaming, allowed=allowed))


class AskViewSet(GenerateViewSet):
    """What the two message families share."""

    tag = "Messages"
    fields: ClassVar[type[GenerateFields]]

    def answer(self, request: Request) -> Deferred:
        held = idempotency.once(request, self.principal)
        throttling.check_visitor(self.visit, self.ip, request)
        fields = self.body(self.fields)
        streaming = fields.get("response_mode") == "streaming"
        asked = generate_request(fields, trace_id(request, fields.get("trace_id")), streaming=streaming)
        return self.begin(asked, once=held)

    def stop(self, request: Request, task_id: str) -> Response:
        return replies.stop(self.principal, task_id)


class ChatMessages(AskViewSet):
    modes = CHAT_MODES
    fields = requests.ChatFields

    @extend_schema(
        operation_id="sendChatMessage",
        request=requests.ChatFields,
        responses=replies.reply_responses(records.ChatReply, CHAT_STREAM),
    )
    def create(self, request: Request) -> Deferred:
        return self.answer(request)

    @extend_schema(operation_id="stopChatMessage", request=None, responses=ResultRecord)
    def stop(self, request: Request, task_id: str) -> Response:
        return super().stop(request, task_id)


class CompletionMessages(AskViewSet):
    modes = COMPLETION_MODES
    wrong_mode: ClassVar[type[DomainError]] = NotCompletionApp
    fields = requests.CompletionFields

    @extend_schema(
        operation_id="sendCompletionMessage",
        request=requests.CompletionFields,
        responses=replies.reply_responses(records.CompletionReply, COMPLETION_STREAM),
    )
    def create(self, request: Request) -> Deferred:
        return self.answer(request)

    @extend_schema(operation_id="stopCompletionMessage", request=None, responses=ResultRecord)
    def stop(self, request: Request, task_id: str) -> Response:
        return super().stop(request, task_id)


class MoreLikeThis(GenerateViewSet):
    """The same question once more, to a bolder model. (A GET, as the contract has it.)"""

    tag = "Messages"
    modes = COMPLETION_MODES
    wrong_mode: ClassVar[type[DomainError]] = NotCompletionApp

    @extend_schema(
        operation_id="getMoreLikeThis",
        parameters=[requests.AgainFields],
        responses=replies.reply_responses(records.CompletionReply, COMPLETION_STREAM),
    )
    def retrieve(self, request: Request, message_id: str) -> Deferred:
        streaming = self.query(requests.AgainFields)["response_mode"] == "streaming"
        message = messages.get(self.end_user, message_id)
        features.demand_more_like_this(self.app)
        throttling.check_visitor(self.visit, self.ip, request)
        return self.begin(asked_again(message, trace_id(request, None), streaming=streaming))


class RunEvents(WebViewSet):
    tag = "Messages"
    about = "An addition of this server. A run is the `task_id` of a stream or of a blocking answer."

    @extend_schema(
        operation_id="followRun",
        parameters=[requests.AfterFields, replies.LAST_EVENT_ID],
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description=replies.FOLLOWED)},
    )
    def list(self, request: Request, task_id: str) -> Deferred:
        after = replies.last_event_id(request, self.query(requests.AfterFields)["after"])
        return replies.follow(self.principal, task_id, after=after, allowed=self.still_allowed())


routes = [
    path("chat-messages", ChatMessages.as_view({"post": "create"})),
    path("chat-messages/<str:task_id>/stop", ChatMessages.as_view({"post": "stop"})),
    path("completion-messages", CompletionMessages.as_view({"post": "create"})),
    path("completion-messages/<str:task_id>/stop", CompletionMessages.as_view({"post": "stop"})),
    path("messages/<str:message_id>/more-like-this", MoreLikeThis.as_view({"get": "retrieve"})),
    path("runs/<str:task_id>/events", RunEvents.as_view({"get": "list"})),
]
