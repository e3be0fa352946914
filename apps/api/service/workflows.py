"""Workflows: begin a run of the published version or of one by its id, stop it, come to it later."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.models.run import GRAPH_MODES
from difyproj.kernel.errors import DomainError, NotWorkflowApp
from difyproj.tiers.actions import Deferred
from difyproj.tiers.base import ServiceViewSet

from .. import flow_records, records, replies, requests
from ..questions import published
from ..stream_records import WORKFLOW_STREAM
from .generate import BEGUN, GenerateViewSet, example

RESPONSES = {**replies.reply_responses(flow_records.WorkflowReply, WORKFLOW_STREAM), **BEGUN}


class Workflows(GenerateViewSet):
    tag = "Workflow Runs"
    modes = frozenset({"workflow"})
    wrong_mode: ClassVar[type[DomainError]] = NotWorkflowApp
    fields = requests.WorkflowFields

    def target(self, fields: dict[str, Any]) -> str:
        named = self.kwargs.get("workflow_id") or self.query(requests.VersionFields)["version"]
        return published(named)

    @extend_schema(
        operation_id="executeWorkflow",
        parameters=[requests.VersionFields],
        request=requests.WorkflowFields,
        responses=RESPONSES,
        examples=[example(inputs={"word": "Hello"})],
    )
    def create(self, request: Request) -> Response | Deferred:
        return self.answer(request)

    @extend_schema(operation_id="runWorkflowById", request=requests.WorkflowFields, responses=RESPONSES)
    def create_version(self, request: Request, workflow_id: str) -> Response | Deferred:
        return self.answer(request)

    @extend_schema(operation_id="stopWorkflowTaskGeneration", request=requests.UserFields, responses=records.ResultRecord)
    def stop(self, request: Request, task_id: str) -> Response:
        return super().stop(request, task_id)


class WorkflowEvents(ServiceViewSet):
    tag = "Workflow Runs"
    modes = frozenset(GRAPH_MODES)
    wrong_mode: ClassVar[type[DomainError]] = NotWorkflowApp

    @extend_schema(
        operation_id="streamWorkflowEvents",
        parameters=[requests.AttachFields, replies.LAST_EVENT_ID],
        responses={(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description=replies.ATTACHED)},
    )
    def list(self, request: Request, workflow_run_id: str) -> Deferred:
        fields = self.query(requests.AttachFields)
        return replies.attach(request, self.principal_of(self.end_user(fields["user"])), workflow_run_id, fields)
