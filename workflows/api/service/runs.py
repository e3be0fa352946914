"""Runs of the app's graph: one of them, and the log of all."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.models.run import GRAPH_MODES
from difyproj.kernel import jsonio
from difyproj.kernel.errors import DomainError, NotWorkflowApp
from difyproj.tiers.base import ServiceViewSet
from difyproj.tiers.fields import EpochField, ObjectField
from difyproj.tiers.shapes import Shape
from workflows.models import WorkflowRun
from workflows.services import logs, runs

from .. import records, requests


class RunRecord(Shape):
    id = serializers.UUIDField(source="run_id")
    workflow_id = serializers.UUIDField()
    status = serializers.CharField(source="run.status")
    inputs = serializers.SerializerMethodField()
    outputs = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    total_steps = serializers.IntegerField()
    total_tokens = serializers.IntegerField(source="run.total_tokens")
    created_at = EpochField()
    finished_at = EpochField(source="run.finished_at", allow_null=True)
    elapsed_time = serializers.FloatField(source="run.elapsed_time")

    def get_inputs(self, row: WorkflowRun) -> str:
        return jsonio.dumps_text(row.inputs)

    @extend_schema_field(ObjectField())
    def get_outputs(self, row: WorkflowRun) -> dict[str, object]:
        return dict(row.outputs or {})

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_error(self, row: WorkflowRun) -> str | None:
        return row.run.error or None


class RunViewSet(ServiceViewSet):
    tag = "Workflow Runs"
    modes = frozenset(GRAPH_MODES)
    wrong_mode: ClassVar[type[DomainError]] = NotWorkflowApp


class Runs(RunViewSet):
    @extend_schema(operation_id="getWorkflowRunDetail", responses=RunRecord)
    def retrieve(self, request: Request, workflow_run_id: str) -> Response:
        return Response(RunRecord(runs.get(self.app, workflow_run_id)).data)


class Logs(RunViewSet):
    @extend_schema(operation_id="getWorkflowLogs", parameters=[requests.LogFields], responses=records.LogPage)
    def list(self, request: Request) -> Response:
        fields = self.query(requests.LogFields)
        found = logs.page(self.app, requests.filters(fields), page=fields["page"], limit=fields["limit"])
        return Response(found.body(lambda rows: records.LogLine(records.seen(rows), many=True).data))
