"""The key with which receivers check the callbacks of an app's runs."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.tiers.shapes import Shape
from workflows.services import callbacks

from .graph_view import GraphViewSet


class CallbackKeyRecord(Shape):
    signing_key = serializers.CharField()


class CallbackKeys(GraphViewSet):
    tag = "Triggers"
    needs = {"retrieve": "app.token"}

    @extend_schema(operation_id="getCallbackKey", responses=CallbackKeyRecord)
    def retrieve(self, request: Request, app_id: str) -> Response:
        return Response({"signing_key": callbacks.signing_key(self.app(app_id).pk)})


routes = [path("apps/<str:app_id>/callback-key", CallbackKeys.as_view({"get": "retrieve"}))]
