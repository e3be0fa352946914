"""What nodes begin with in an editor."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.kernel import jsonio
from difyproj.kernel.errors import InvalidParam
from difyproj.tiers.fields import ObjectField
from difyproj.tiers.shapes import Fields, Shape
from workflows.services import node_defaults

from .graph_view import GraphViewSet


class FilterFields(Fields):
    q = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=1_000, help_text='A JSON object: {"code_language": ...}.'
    )


class DefaultRecord(Shape):
    type = serializers.CharField()
    config = ObjectField()


class NodeDefaults(GraphViewSet):
    needs = {"list": "app.edit", "retrieve": "app.edit"}

    @extend_schema(operation_id="getDefaultBlockConfigs", responses=DefaultRecord(many=True))
    def list(self, request: Request, app_id: str) -> Response:
        self.app(app_id)
        return Response(node_defaults.every())

    @extend_schema(operation_id="getDefaultBlockConfig", parameters=[FilterFields], responses=DefaultRecord)
    def retrieve(self, request: Request, app_id: str, block_type: str) -> Response:
        self.app(app_id)
        return Response(node_defaults.one(block_type, language=_language(self.query(FilterFields)["q"])))


def _language(written: str) -> str:
    try:
        wanted = jsonio.loads(written or "{}")
    except ValueError as error:
        raise InvalidParam("q must be a JSON object.", params="q") from error
    return str(wanted.get("code_language", node_defaults.PYTHON)) if isinstance(wanted, dict) else node_defaults.PYTHON


defaults = "apps/<str:app_id>/workflows/default-workflow-block-configs"
routes = [
    path(defaults, NodeDefaults.as_view({"get": "list"})),
    path(f"{defaults}/<str:block_type>", NodeDefaults.as_view({"get": "retrieve"})),
]
