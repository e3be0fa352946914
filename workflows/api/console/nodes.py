"""One node of a draft: run alone, and how it was run last."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models import App
from difyproj.tiers import given_files
from difyproj.tiers.actions import Deferred
from difyproj.tiers.fields import ObjectField, QueryField
from difyproj.tiers.given_files import FilesField
from difyproj.tiers.shapes import Fields
from difyproj.tiers.streaming import EventStream
from workflows.models import NodeExecution
from workflows.services import drafts, runs

from . import run_records
from .graph_view import GraphViewSet

STREAM = {(200, "text/event-stream"): OpenApiResponse(OpenApiTypes.STR, description="The stream of a workflow's run.")}


class NodeFields(Fields):
    """``inputs`` are values by selector (``node.name``) or by the names that the node gives its variables."""

    inputs = ObjectField(required=False, default=dict)
    query = QueryField(required=False, default="", allow_null=True)
    files = FilesField()


class NodeViewSet(GraphViewSet):
    tag = "Workflow debugging"

    def plan(self, app: App, node_id: str) -> Any:
        fields = self.body(NodeFields)
        return generation.plan_node(
            self.principal_for(app),
            app,
            node_id,
            inputs=fields["inputs"],
            query=fields["query"] or "",
            files=given_files.inputs_of(fields.get("files")),
        )

    def shown(self, row: NodeExecution) -> Any:
        return run_records.ExecutionRecord(run_records.Executed(row, self.account)).data


class Nodes(NodeViewSet):
    needs = {"create": "app.edit", "last": "app.edit"}

    @extend_schema(operation_id="runDraftNode", request=NodeFields, responses=run_records.ExecutionRecord)
    def create(self, request: Request, app_id: str, node_id: str) -> Deferred:
        plan = self.plan(self.app(app_id), node_id)

        async def run() -> Response:
            return Response(self.shown(await generation.run_node(plan)))

        return Deferred(run)

    @extend_schema(operation_id="getLastRunOfNode", responses=run_records.ExecutionRecord)
    def last(self, request: Request, app_id: str, node_id: str) -> Response:
        app = self.app(app_id)
        row = runs.last_execution(app, workflow_id=drafts.get(app).pk, node_id=node_id)
        return Response(run_records.ExecutionRecord(run_records.alone(row)).data)


class Containers(NodeViewSet):
    """A container tried alone, looked at while it runs; it ends with its stream."""

    needs = dict.fromkeys(("iterate", "iterate_in_chat", "loop", "loop_in_chat"), "app.edit")

    def _run(self, app_id: str, node_id: str, kind: str) -> Deferred:
        app = self.app(app_id)
        if drafts.node_type(drafts.get(app), node_id) != kind:
            raise generation.NodeNotFound
        plan, allowed = self.plan(app, node_id), self.still_allowed()

        async def stream() -> EventStream:
            return EventStream(generation.NodeStream(plan), allowed=allowed)

        return Deferred(stream)

    @extend_schema(operation_id="runDraftIteration", request=NodeFields, responses=STREAM)
    def iterate(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._run(app_id, node_id, "iteration")

    @extend_schema(operation_id="runDraftIterationInChat", request=NodeFields, responses=STREAM)
    def iterate_in_chat(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._run(app_id, node_id, "iteration")

    @extend_schema(operation_id="runDraftLoop", request=NodeFields, responses=STREAM)
    def loop(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._run(app_id, node_id, "loop")

    @extend_schema(operation_id="runDraftLoopInChat", request=NodeFields, responses=STREAM)
    def loop_in_chat(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._run(app_id, node_id, "loop")


draft, chats = "workflows/draft", "apps/<str:app_id>/advanced-chat"
routes = [
    path(f"apps/<str:app_id>/{draft}/nodes/<str:node_id>/run", Nodes.as_view({"post": "create"})),
    path(f"apps/<str:app_id>/{draft}/nodes/<str:node_id>/last-run", Nodes.as_view({"get": "last"})),
    path(f"apps/<str:app_id>/{draft}/iteration/nodes/<str:node_id>/run", Containers.as_view({"post": "iterate"})),
    path(f"apps/<str:app_id>/{draft}/loop/nodes/<str:node_id>/run", Containers.as_view({"post": "loop"})),
    path(f"{chats}/{draft}/iteration/nodes/<str:node_id>/run", Containers.as_view({"post": "iterate_in_chat"})),
    path(f"{chats}/{draft}/loop/nodes/<str:node_id>/run", Containers.as_view({"post": "loop_in_chat"})),
]
