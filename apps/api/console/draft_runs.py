"""Runs of drafts: builders run a graph that is not published yet, and come back to any of its runs."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from apps import generation
from apps.services import apps
from apps.services.apps import AppNotFound
from difyproj.tiers import idempotency
from difyproj.tiers.actions import Deferred
from difyproj.tiers.console import ConsoleViewSet
from difyproj.tiers.fields import ObjectField, QueryField

from .. import replies, requests
from ..questions import generate_request, trace_id
from ..stream_records import CHAT_STREAM, WORKFLOW_STREAM

TAG = "Workflow debugging"


class DraftRunFields(requests.GenerateFields):
    """The answer is always a stream."""

    user = None  # type: ignore[assignment]
    response_mode = None  # type: ignore[assignment]
    inputs = ObjectField(required=False, default=dict)


class DraftChatFields(DraftRunFields):
    query = QueryField(required=False, default="")
    conversation_id = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    parent_message_id = serializers.CharField(required=False, allow_blank=True, allow_null=True)


class AttachFields(requests.AttachFields):
    user = None  # type: ignore[assignment]


class DraftRunViewSet(ConsoleViewSet):
    """A run belongs to the account that asked, and goes on without its stream."""

    tag = TAG
    needs = {"create": "app.edit"}
    repeats_safely = True
    mode: ClassVar[str]
    fields: ClassVar[type[DraftRunFields]] = DraftRunFields

    def answer(self, request: Request, app_id: str) -> Deferred:
        app = self.app(app_id)
        if app.mode != self.mode:
            raise AppNotFound(f"The app is no {self.mode} app.")
        apps.demand_normal(app)
        principal = self.principal_for(app)
        held = idempotency.once(request, principal)
        fields = self.body(self.fields)
        trace = trace_id(request, fields.get("trace_id"))
        asked = generate_request(fields, trace, streaming=True, target=generation.DRAFT)
        run_id = generation.generate(principal, app, replace(asked, auto_generate_name=False), once=held)
        allowed = self.still_allowed()
        return Deferred(lambda: replies.respond(principal, run_id, streaming=True, allowed=allowed))


class DraftRuns(DraftRunViewSet):
    mode = "workflow"

    @extend_schema(
        operation_id="runDraftWorkflow",
        request=DraftRunFields,
        responses={(200, "text/event-stream"): OpenApiResponse(WORKFLOW_STREAM, description=replies.STREAM)},
    )
    def create(self, request: Request, app_id: str) -> Deferred:
        return self.answer(request, app_id)


class DraftChats(DraftRunViewSet):
    mode = "advanced-chat"
    fields = DraftChatFields

    @extend_schema(
        operation_id="runDraftChatflow",
        request=DraftChatFields,
        responses={(200, "text/event-stream"): OpenApiResponse(CHAT_STREAM, description=replies.STREAM)},
    )
    def create(self, request: Request, app_id: str) -> Deferred:
        return self.answer(request, app_id)


class WorkflowEvents(ConsoleViewSet):
    """One's own debug runs only."""

    tag = TAG
    needs = {"list": "app.run"}

    @extend_schema(
        operation_id="followWorkflowRun",
        parameters=[AttachFields, replies.LAST_EVENT_ID],
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description=replies.ATTACHED)},
    )
    def list(self, request: Request, workflow_run_id: str) -> Deferred:
        fields, allowed = self.query(AttachFields), self.still_allowed()
        return replies.attach(request, self.principal, workflow_run_id, fields, allowed=allowed)


routes = [
    path("apps/<str:app_id>/workflows/draft/run", DraftRuns.as_view({"post": "create"})),
    path("apps/<str:app_id>/advanced-chat/workflows/draft/run", DraftChats.as_view({"post": "create"})),
    path("workflow/<str:workflow_run_id>/events", WorkflowEvents.as_view({"get": "list"})),
]
