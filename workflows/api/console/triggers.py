"""Triggers of an app: listed, switched on and off, and the addresses and keys of its webhooks."""

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
        return Response(WebhookRecord(triggers.address(app, self.query(NodeFields)["node_id"])).data)


class TriggerRecord(Shape):
    id = serializers.UUIDField()
    trigger_type = serializers.SerializerMethodField()
    title = serializers.CharField()
    node_id = serializers.CharField()
    provider_name = serializers.SerializerMethodField()
    icon = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    next_at = EpochField(allow_null=True, help_text="An addition: when a schedule is due next.")
    last_at = EpochField(allow_null=True, help_text="An addition: when it fired last.")
    last_run_id = serializers.UUIDField(allow_null=True, help_text="An addition.")
    last_error = serializers.CharField(help_text="An addition: why the last time began no run.")
    is_signed = serializers.SerializerMethodField(help_text="An addition: whether calls need a signature.")

    def get_trigger_type(self, row: Trigger) -> str:
        return f"trigger-{row.kind}"

    def get_provider_name(self, row: Trigger) -> str:
        return ""

    def get_icon(self, row: Trigger) -> str:
        return ""

    def get_status(self, row: Trigger) -> str:
        return "enabled" if row.enabled else "disabled"

    def get_is_signed(self, row: Trigger) -> bool:
        return bool(row.sealed)


class TriggerList(Shape):
    data = TriggerRecord(many=True)  # type: ignore[assignment]


class EnableFields(Fields):
    trigger_id = serializers.UUIDField()
    enable_trigger = serializers.BooleanField()


class SigningKeyRecord(Shape):
    signing_key = serializers.CharField(help_text="Shown once.")


class Triggers(GraphViewSet):
    tag = "Triggers"
    needs = {"list": "app.view", "enable": "app.edit", "renew_key": "app.edit", "drop_key": "app.edit"}

    def _trigger(self, app_id: str, trigger_id: object) -> Trigger:
        return triggers.get(self.principal_for(self.app(app_id)), str(trigger_id))

    @extend_schema(operation_id="listTriggers", responses=TriggerList)
    def list(self, request: Request, app_id: str) -> Response:
        return Response({"data": TriggerRecord(triggers.of_app(self.app(app_id)), many=True).data})

    @extend_schema(operation_id="enableTrigger", request=EnableFields, responses=TriggerRecord)
    def enable(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.body(EnableFields)
        row = triggers.get(self.principal_for(app), fields["trigger_id"])
        return Response(TriggerRecord(triggers.set_enabled(row, enabled=fields["enable_trigger"])).data)

    @extend_schema(operation_id="renewTriggerKey", request=None, responses=SigningKeyRecord)
    def renew_key(self, request: Request, app_id: str, trigger_id: str) -> Response:
        """From now on the webhook's calls need a signature."""
        return Response({"signing_key": triggers.renew_signing_key(self._trigger(app_id, trigger_id))})

    @extend_schema(operation_id="dropTriggerKey", request=None, responses={204: None})
    def drop_key(self, request: Request, app_id: str, trigger_id: str) -> Response:
        triggers.drop_signing_key(self._trigger(app_id, trigger_id))
        return Response(status=204)


key = Triggers.as_view({"post": "renew_key", "delete": "drop_key"})
routes = [
    path("apps/<str:app_id>/workflows/triggers/webhook", Webhooks.as_view({"get": "retrieve"})),
    path("apps/<str:app_id>/triggers", Triggers.as_view({"get": "list"})),
    path("apps/<str:app_id>/trigger-enable", Triggers.as_view({"post": "enable"})),
    path("apps/<str:app_id>/triggers/<str:trigger_id>/signing-key", key),
]
