"""Where the runs of an app are traced to. This server knows no tracing provider yet, so nothing can be switched on."""

from __future__ import annotations

from typing import Any, ClassVar

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.kernel.errors import DomainError, InvalidParam
from difyproj.tiers.console import ConsoleViewSet

from ..records import SUCCESS, ResultRecord


class TraceConfigNotExist(DomainError):
    code: ClassVar[str] = "trace_config_not_exist"
    default_message = "There is no configuration of this tracing provider."


class TraceConfigCheckError(DomainError):
    code: ClassVar[str] = "trace_config_check_error"
    default_message = "This server does not know the tracing provider."


class TraceFields(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()
    tracing_provider = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=64)


class ProviderFields(serializers.Serializer[Any]):
    tracing_provider = serializers.CharField(max_length=64)


class TraceRecord(serializers.Serializer[Any]):
    enabled = serializers.BooleanField()
    tracing_provider = serializers.CharField(allow_null=True)


class NotConfigured(serializers.Serializer[Any]):
    has_not_configured = serializers.BooleanField()


class Trace(ConsoleViewSet):
    tag = "Tracing"
    needs = {"retrieve": "app.view", "create": "app.edit"}

    @extend_schema(operation_id="getTrace", responses=TraceRecord)
    def retrieve(self, request: Request, app_id: str) -> Response:
        self.app(app_id)
        return Response({"enabled": False, "tracing_provider": None})

    @extend_schema(operation_id="setTrace", request=TraceFields, responses=ResultRecord)
    def create(self, request: Request, app_id: str) -> Response:
        self.app(app_id)
        if self.body(TraceFields)["enabled"]:
            raise InvalidParam(TraceConfigCheckError.default_message, params="tracing_provider")
        return Response(SUCCESS)


class TraceConfig(ConsoleViewSet):
    tag = "Tracing"
    needs = {"retrieve": "app.edit", "create": "app.edit", "update": "app.edit", "destroy": "app.edit"}

    @extend_schema(operation_id="getTraceConfig", parameters=[ProviderFields], responses=NotConfigured)
    def retrieve(self, request: Request, app_id: str) -> Response:
        self.app(app_id)
        self.query(ProviderFields)
        return Response({"has_not_configured": True})

    @extend_schema(operation_id="createTraceConfig", request=ProviderFields, responses={201: ResultRecord})
    def create(self, request: Request, app_id: str) -> Response:
        self.app(app_id)
        self.body(ProviderFields)
        raise TraceConfigCheckError

    @extend_schema(operation_id="updateTraceConfig", request=ProviderFields, responses=ResultRecord)
    def update(self, request: Request, app_id: str) -> Response:
        self.app(app_id)
        self.body(ProviderFields)
        raise TraceConfigNotExist

    @extend_schema(operation_id="deleteTraceConfig", parameters=[ProviderFields], request=None, responses={204: None})
    def destroy(self, request: Request, app_id: str) -> Response:
        self.app(app_id)
        self.query(ProviderFields)
        raise TraceConfigNotExist


routes = [
    path("apps/<str:app_id>/trace", Trace.as_view({"get": "retrieve", "post": "create"})),
    path(
        "apps/<str:app_id>/trace-config",
        TraceConfig.as_view({"get": "retrieve", "post": "create", "patch": "update", "delete": "destroy"}),
    ),
]
