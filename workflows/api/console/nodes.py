"""One node of a draft: run alone, asked what it would ask people, and how it was run last."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models import App
from difyproj.kernel.errors import InvalidParam
from difyproj.tiers import given_files
from difyproj.tiers.actions import Deferred
from difyproj.tiers.fields import ObjectField, QueryField
from difyproj.tiers.given_files import FilesField
from difyproj.tiers.shapes import Fields
from workflows.models import NodeExecution
from workflows.services import drafts, runs

from ..form_records import FormPreview
from . import run_records
from .graph_view import GraphViewSet

HUMAN_INPUT = "human-input"


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


class HumanInput(NodeViewSet):
    """The form as people would get it. Nobody is asked."""

    needs = {"preview": "app.edit", "preview_in_chat": "app.edit"}

    def _preview(self, app_id: str, node_id: str) -> Deferred:
        app = self.app(app_id)
        if drafts.node_type(drafts.get(app), node_id) != HUMAN_INPUT:
            raise generation.NodeNotFound
        plan = self.plan(app, node_id)

        async def ask() -> Response:
            row = await generation.run_node(plan)
            if not row.outputs:
                raise InvalidParam(row.error, params=node_id)
            return Response(FormPreview({"node_id": node_id, "node_title": row.title, **row.outputs["form"]}).data)

        return Deferred(ask)

    @extend_schema(operation_id="previewForm", request=NodeFields, responses=FormPreview)
    def preview(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._preview(app_id, node_id)

    @extend_schema(operation_id="previewFormInChat", request=NodeFields, responses=FormPreview)
    def preview_in_chat(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._preview(app_id, node_id)


draft, form = "workflows/draft", "workflows/draft/human-input/nodes/<str:node_id>/form/preview"
routes = [
    path(f"apps/<str:app_id>/{draft}/nodes/<str:node_id>/run", Nodes.as_view({"post": "create"})),
    path(f"apps/<str:app_id>/{draft}/nodes/<str:node_id>/last-run", Nodes.as_view({"get": "last"})),
    path(f"apps/<str:app_id>/{form}", HumanInput.as_view({"post": "preview"})),
    path(f"apps/<str:app_id>/advanced-chat/{form}", HumanInput.as_view({"post": "preview_in_chat"})),
]
