"""What variables hold: those of a draft when it was run last, and what a chatflow remembers of a conversation."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.tiers.fields import EpochField, WrittenField
from difyproj.tiers.shapes import PageFields, Shape
from workflows.services import conversation_variables, inspection

from .graph_records import VariableList, inspected
from .graph_view import GraphViewSet


class ConversationFields(PageFields):
    conversation_id = serializers.CharField(max_length=64)


class KeptVariable(Shape):
    id = serializers.UUIDField(source="variable_id")
    name = serializers.CharField()
    value_type = serializers.CharField()
    value = WrittenField()
    description = serializers.CharField(allow_blank=True)
    created_at = EpochField()
    updated_at = EpochField()


class KeptPage(Shape):
    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = KeptVariable(many=True)  # type: ignore[assignment]


class InspectedPage(VariableList):
    total = serializers.IntegerField()


class Inspection(GraphViewSet):
    tag = "Workflow debugging"
    needs = {"list": "app.edit", "of_node": "app.edit", "of_system": "app.edit"}

    @extend_schema(operation_id="getDraftVariables", parameters=[PageFields], responses=InspectedPage)
    def list(self, request: Request, app_id: str) -> Response:
        found, fields = inspection.of_nodes(self.app(app_id)), self.query(PageFields)
        start = (fields["page"] - 1) * fields["limit"]
        return Response({"items": inspected(found[start : start + fields["limit"]]), "total": len(found)})

    @extend_schema(operation_id="getDraftVariablesOfNode", responses=VariableList)
    def of_node(self, request: Request, app_id: str, node_id: str) -> Response:
        return Response({"items": inspected(inspection.of_node(self.app(app_id), node_id))})

    @extend_schema(operation_id="getDraftSystemVariables", responses=VariableList)
    def of_system(self, request: Request, app_id: str) -> Response:
        return Response({"items": inspected(inspection.of_system(self.app(app_id)))})


class ConversationVariables(GraphViewSet):
    tag = "Logs"
    needs = {"list": "app.logs"}
    modes = frozenset({"advanced-chat"})

    @extend_schema(operation_id="getConversationVariables", parameters=[ConversationFields], responses=KeptPage)
    def list(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.query(ConversationFields)
        found = conversation_variables.page(app, **fields)
        return Response(found.body(lambda rows: KeptVariable(rows, many=True).data))


draft = "apps/<str:app_id>/workflows/draft"
routes = [
    path(f"{draft}/variables", Inspection.as_view({"get": "list"})),
    path(f"{draft}/nodes/<str:node_id>/variables", Inspection.as_view({"get": "of_node"})),
    path(f"{draft}/system-variables", Inspection.as_view({"get": "of_system"})),
    path("apps/<str:app_id>/conversation-variables", ConversationVariables.as_view({"get": "list"})),
]
