"""What came out of a run's nodes: of all, of one, one output whole, and as it comes."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.tiers.actions import Deferred
from difyproj.tiers.fields import IsoField, ObjectField
from difyproj.tiers.shapes import Shape
from difyproj.tiers.streaming import EventStream
from workflows.models import WorkflowRun
from workflows.services import node_outputs
from workflows.services.node_outputs import NodeOutputs

from .graph_view import GraphViewSet
from .output_stream import FORM, OutputStream

EVENTS = "`snapshot` with all nodes, `node_changed` with each that begins or ends, `workflow_run_completed` at the end."
STREAM = {(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description=EVENTS)}


class OutputRecord(Shape):
    """Checks and declared types belong to nodes that promise their outputs; none here does."""

    name = serializers.CharField()
    type = serializers.CharField(allow_null=True)
    status = serializers.ChoiceField(["pending", "running", "ready", "failed"])
    value_preview = serializers.JSONField(allow_null=True)
    type_check = ObjectField(allow_null=True)
    output_check = ObjectField(allow_null=True)
    retried = serializers.IntegerField()


class NodeOutputsRecord(Shape):
    node_id = serializers.CharField()
    node_kind = serializers.CharField(source="kind")
    node_display_name = serializers.CharField(source="title")
    node_status = serializers.ChoiceField(["idle", "running", "ready", "failed"], source="status")
    node_started_at = IsoField(source="row.created_at", default=None, allow_null=True)
    node_completed_at = IsoField(source="row.finished_at", default=None, allow_null=True)
    outputs = serializers.SerializerMethodField()

    def get_outputs(self, found: NodeOutputs) -> list[dict[str, Any]]:
        return [_output(found, name, value) for name, value in found.values.items()]


class SnapshotRecord(Shape):
    workflow_run_id = serializers.UUIDField()
    workflow_run_status = serializers.CharField()
    node_outputs = NodeOutputsRecord(many=True)


class PreviewRecord(Shape):
    node_id = serializers.CharField()
    output_name = serializers.CharField()
    type = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    value = serializers.JSONField(allow_null=True)


class OutputViewSet(GraphViewSet):
    tag = "Workflow runs"
    needs = dict.fromkeys(("list", "retrieve", "preview", "follow"), "app.logs")
    is_draft = True

    def run(self, app_id: str, run_id: str) -> WorkflowRun:
        return node_outputs.run_of(self.app(app_id), run_id, is_draft=self.is_draft)

    def list(self, request: Request, app_id: str, run_id: str) -> Response:
        return Response(snapshot(self.run(app_id, run_id)))

    def retrieve(self, request: Request, app_id: str, run_id: str, node_id: str) -> Response:
        return Response(shown(node_outputs.of_node(self.run(app_id, run_id), node_id)))

    def preview(self, request: Request, app_id: str, run_id: str, node_id: str, output_name: str) -> Response:
        found = node_outputs.of_node(self.run(app_id, run_id), node_id)
        value = node_outputs.value_of(found, output_name)
        told = {"type": node_outputs.type_of(value), "status": found.status, "value": value}
        return Response({"node_id": node_id, "output_name": output_name, **told})

    def follow(self, request: Request, app_id: str, run_id: str) -> Deferred:
        row, allowed = self.run(app_id, run_id), self.still_allowed()

        async def stream() -> EventStream:
            return EventStream(OutputStream(row, snapshot, shown), allowed=allowed, form=FORM)

        return Deferred(stream)


class DraftOutputs(OutputViewSet):
    @extend_schema(operation_id="getDraftRunOutputs", responses=SnapshotRecord)
    def list(self, request: Request, app_id: str, run_id: str) -> Response:
        return super().list(request, app_id, run_id)

    @extend_schema(operation_id="getDraftRunOutputsOfNode", responses=NodeOutputsRecord)
    def retrieve(self, request: Request, app_id: str, run_id: str, node_id: str) -> Response:
        return super().retrieve(request, app_id, run_id, node_id)

    @extend_schema(operation_id="previewDraftRunOutput", responses=PreviewRecord)
    def preview(self, request: Request, app_id: str, run_id: str, node_id: str, output_name: str) -> Response:
        return super().preview(request, app_id, run_id, node_id, output_name)

    @extend_schema(operation_id="followDraftRunOutputs", responses=STREAM)
    def follow(self, request: Request, app_id: str, run_id: str) -> Deferred:
        return super().follow(request, app_id, run_id)


class PublishedOutputs(OutputViewSet):
    is_draft = False

    @extend_schema(operation_id="getPublishedRunOutputs", responses=SnapshotRecord)
    def list(self, request: Request, app_id: str, run_id: str) -> Response:
        return super().list(request, app_id, run_id)

    @extend_schema(operation_id="getPublishedRunOutputsOfNode", responses=NodeOutputsRecord)
    def retrieve(self, request: Request, app_id: str, run_id: str, node_id: str) -> Response:
        return super().retrieve(request, app_id, run_id, node_id)

    @extend_schema(operation_id="previewPublishedRunOutput", responses=PreviewRecord)
    def preview(self, request: Request, app_id: str, run_id: str, node_id: str, output_name: str) -> Response:
        return super().preview(request, app_id, run_id, node_id, output_name)

    @extend_schema(operation_id="followPublishedRunOutputs", responses=STREAM)
    def follow(self, request: Request, app_id: str, run_id: str) -> Deferred:
        return super().follow(request, app_id, run_id)


def _output(found: NodeOutputs, name: str, value: Any) -> dict[str, Any]:
    is_ready = found.status == node_outputs.READY
    return {
        "name": name,
        "type": node_outputs.type_of(value),
        "status": found.status,
        "value_preview": node_outputs.preview(value) if is_ready else None,
        "type_check": None,
        "output_check": None,
        "retried": max(0, found.row.attempts - 1) if found.row is not None else 0,
    }


def shown(found: NodeOutputs) -> dict[str, Any]:
    return dict(NodeOutputsRecord(found).data)


def snapshot(row: WorkflowRun) -> dict[str, Any]:
    nodes = [shown(found) for found in node_outputs.of_run(row)]
    return {"workflow_run_id": str(row.run_id), "workflow_run_status": row.run.status, "node_outputs": nodes}


def _routes(outputs: str, view: type[OutputViewSet]) -> list[Any]:
    return [
        path(outputs, view.as_view({"get": "list"})),
        path(f"{outputs}/events", view.as_view({"get": "follow"})),
        path(f"{outputs}/<str:node_id>", view.as_view({"get": "retrieve"})),
        path(f"{outputs}/<str:node_id>/<str:output_name>/preview", view.as_view({"get": "preview"})),
    ]


routes = [
    *_routes("apps/<str:app_id>/workflows/draft/runs/<str:run_id>/node-outputs", DraftOutputs),
    *_routes("apps/<str:app_id>/workflows/published/runs/<str:run_id>/node-outputs", PublishedOutputs),
]
