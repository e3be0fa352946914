"""What a chatflow remembers of a conversation."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.tiers.fields import EpochField, WrittenField
from difyproj.tiers.shapes import PageFields, Shape
from workflows.services import conversation_variables

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


class ConversationVariables(GraphViewSet):
    tag = "Logs"
    needs = {"list": "app.logs"}
    modes = frozenset({"advanced-chat"})

    @extend_schema(operation_id="getConversationVariables", parameters=[ConversationFields], responses=KeptPage)
    def list(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.query(ConversationFields)
        found = conversation_variables.page(app, **fields)
        return Response(found.body(lambda rows: KeptVariable(rows, many=True).data))


routes = [path("apps/<str:app_id>/conversation-variables", ConversationVariables.as_view({"get": "list"}))]
