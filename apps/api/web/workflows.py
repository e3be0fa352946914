"""Workflows of visitors: run, stop, come to a run later."""

from __future__ import annotations

from typing import ClassVar

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.models.run import GRAPH_MODES
from difyproj.kernel.errors import DomainError, NotWorkflowApp
from difyproj.tiers import idempotency, throttling
from difyproj.tiers.actions import Deferred
from difyproj.tiers.web import WebViewSet

from .. import replies
from ..questions import generate_request, trace_id
from ..records import ResultRecord
from ..stream_records import WORKFLOW_STREAM
from . import requests
from .generate import GenerateViewSet


class Workflows(GenerateViewSet):
    """Their runs are always streams."""

    tag = "Workflows"
    modes = frozenset({"workflow"})
    wrong_mode: ClassVar[type[DomainError]] = NotWorkflowApp

    @extend_schema(
        operation_id="runWorkflow",
        request=requests.WorkflowFields,
        responses={(200, "text/event-stream"): OpenApiResponse(WORKFLOW_STREAM, description=replies.STREAM)},
    )
    def create(self, request: Request) -> Deferred:
        held = idempotency.once(request, self.principal)
        throttling.check_visitor(self.visit, self.ip, request)
        fields = self.body(requests.WorkflowFields)
        return self.begin(generate_request(fields, trace_id(request, fields.get("trace_id")), streaming=True), once=held)

    @extend_schema(operation_id="stopWorkflow", request=None, responses=ResultRecord)
    def stop(self, request: Request, task_id: str) -> Response:
        return replies.stop(self.principal, task_id)


class WorkflowEvents(WebViewSet):
    tag = "Workflows"
    modes = frozenset(GRAPH_MODES)
    wrong_mode: ClassVar[type[DomainError]] = NotWorkflowApp

    @extend_schema(
        operation_id="followWorkflow",
        parameters=[requests.AttachFields, replies.LAST_EVENT_ID],
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description=replies.ATTACHED)},
    )
    def list(self, request: Request, workflow_run_id: str) -> Deferred:
        fields, allowed = self.query(requests.AttachFields), self.still_allowed()
        return replies.attach(request, self.principal, workflow_run_id, fields, allowed=allowed)


routes = [
    path("workflows/run", Workflows.as_view({"post": "create"})),
    path("workflows/tasks/<str:task_id>/stop", Workflows.as_view({"post": "stop"})),
    path("workflow/<str:workflow_run_id>/events", WorkflowEvents.as_view({"get": "list"})),
]
