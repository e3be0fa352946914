"""Chat and completion messages: begin a generation, answer it as a stream or as one body, stop it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models.run import GRAPH_MODES
from difyproj.kernel.errors import AppUnavailable, DomainError, InvalidParam, NotChatApp
from difyproj.tiers import idempotency
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import CHAT_MODES, ServiceViewSet

from .. import flow_records, records, replies, requests
from ..questions import generate_request, published, trace_id
from ..stream_records import CHAT_STREAM, COMPLETION_STREAM

BEGUN = {202: OpenApiResponse(flow_records.BegunRecord, description="`response_mode` async: where the run can be seen.")}


class GenerateViewSet(ServiceViewSet):
    """What the two message families share."""

    keeps_answers = False
    repeats_safely = True
    fields: ClassVar[type[requests.GenerateFields]]

    def target(self, fields: dict[str, Any]) -> str:
        """The version that is asked for, of apps that have some."""
        return generation.PUBLISHED

    def answer(self, request: Request) -> Response | Deferred:
        held = idempotency.once(request, self.principal)
        fields = self.body(self.fields)
        target = self.target(fields)
        principal = self.principal_of(self.end_user(fields["user"]))
        mode = fields.get("response_mode")
        if self.app.mode not in GRAPH_MODES:
            demand_nothing_unattended(fields)
        asked = generate_request(
            fields, trace_id(request, fields.get("trace_id")), streaming=mode == "streaming", target=target
        )
        if mode == "async":
            asked = replace(asked, in_background=True)
        run_id = generation.generate(principal, self.app, asked, once=held)
        if mode == "async":
            return replies.begun(run_id, f"{settings.PUBLIC_URL}/v1/workflows/run/{run_id}")
        return Deferred(lambda: replies.respond(principal, run_id, streaming=asked.streaming))

    def stop(self, request: Request, task_id: str) -> Response:
        """Always a success: a task that is unknown, over or somebody else's is left alone."""
        principal = self.principal_of(self.end_user(self.body(requests.UserFields)["user"]))
        return replies.stop(principal, task_id)


def demand_nothing_unattended(fields: dict[str, Any]) -> None:
    """Raises InvalidParam for what only graphs can do."""
    asked = {"response_mode": fields.get("response_mode") == "async", "callback_url": fields.get("callback_url")}
    for name, is_there in asked.items():
        if is_there:
            raise InvalidParam("Only for apps with a graph of their own.", params=name)


def example(**fields: Any) -> OpenApiExample:
    return OpenApiExample("A question", value={**fields, "user": "ann", "response_mode": "blocking"}, request_only=True)


class ChatMessages(GenerateViewSet):
    tag = "Chat Messages"
    modes = CHAT_MODES
    wrong_mode: ClassVar[type[DomainError]] = NotChatApp
    fields = requests.ServiceChatFields

    def target(self, fields: dict[str, Any]) -> str:
        return published(fields.get("workflow_id")) if self.app.mode == "advanced-chat" else super().target(fields)

    @extend_schema(
        operation_id="sendChatMessage",
        request=requests.ServiceChatFields,
        responses={**replies.reply_responses(records.ChatReply, CHAT_STREAM), **BEGUN},
        examples=[example(query="What can you do?", inputs={})],
    )
    def create(self, request: Request) -> Response | Deferred:
        return self.answer(request)

    @extend_schema(operation_id="stopChatMessageGeneration", request=requests.UserFields, responses=records.ResultRecord)
    def stop(self, request: Request, task_id: str) -> Response:
        return super().stop(request, task_id)


class CompletionMessages(GenerateViewSet):
    tag = "Completion Messages"
    modes = frozenset({"completion"})
    wrong_mode: ClassVar[type[DomainError]] = AppUnavailable
    fields = requests.CompletionFields

    @extend_schema(
        operation_id="createCompletionMessage",
        request=requests.CompletionFields,
        responses=replies.reply_responses(records.CompletionReply, COMPLETION_STREAM),
        examples=[example(inputs={"query": "A poem about spring"})],
    )
    def create(self, request: Request) -> Response | Deferred:
        return self.answer(request)

    @extend_schema(operation_id="stopCompletionGeneration", request=requests.UserFields, responses=records.ResultRecord)
    def stop(self, request: Request, task_id: str) -> Response:
        return super().stop(request, task_id)


class RunEvents(ServiceViewSet):
    """Our addition: any run's stream again, from any id."""

    tag = "Runs"
    about = "An addition of this server. A run is the `task_id` of a stream or of a blocking answer."

    @extend_schema(
        operation_id="followRun",
        parameters=[requests.AfterFields, replies.LAST_EVENT_ID],
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description=replies.FOLLOWED)},
    )
    def list(self, request: Request, task_id: str) -> Deferred:
        fields = self.query(requests.AfterFields)
        principal = self.principal_of(self.end_user(fields["user"])) if fields.get("user") else self.principal
        return replies.follow(principal, task_id, after=replies.last_event_id(request, fields["after"]))
