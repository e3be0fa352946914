"""Triggers of an app: the address of a webhook node."""

from __future__ import annotations

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.tiers.fields import EpochField
from difyproj.tiers.shapes import Fields, Shape
from workflows.models import Trigger
from workflows.services import triggers

from .graph_view import GraphViewSet


class NodeFields(Fields):
    node_id = serializers.CharField(max_length=255)


class WebhookRecord(Shape):
    id = serializers.UUIDField()
    webhook_id = serializers.CharField(source="token")
    webhook_url = serializers.SerializerMethodField()
    webhook_debug_url = serializers.SerializerMethodField()
    node_id = serializers.CharField()
    created_at = EpochField()

    def get_webhook_url(self, row: Trigger) -> str:
        return f"{settings.PUBLIC_URL}/triggers/webhook/{row.token}"

    def get_webhook_debug_url(self, row: Trigger) -> str:
        return f"{settings.PUBLIC_URL}/triggers/webhook-debug/{row.token}"


class Webhooks(GraphViewSet):
    """Whoever has the address may start the app, so only editors read it."""

    tag = "Triggers"
    needs = {"retrieve": "app.edit"}

    @extend_schema(operation_id="getWebhook", parameters=[NodeFields], responses=WebhookRecord)
    def retrieve(self, request: Request, app_id: str) -> Response:
        app = self.app(app_id)
        return Response(WebhookRecord(triggers.webhook(app, self.query(NodeFields)["node_id"])).data)


routes = [path("apps/<str:app_id>/workflows/triggers/webhook", Webhooks.as_view({"get": "retrieve"}))]
