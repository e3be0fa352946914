"""Drafts: read, saved as a whole or part by part, published, taken back from a version; versions: listed, named, deleted."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from difyproj.kernel import clock
from difyproj.tiers.console import ConsoleAuthentication
from difyproj.tiers.fields import CursorField, ObjectField
from difyproj.tiers.parsers import BeaconParser
from difyproj.tiers.schema import ResultRecord
from difyproj.tiers.shapes import SUCCESS, Fields, PageFields
from workflows.models import Workflow
from workflows.services import drafts, versions
from workflows.services.inspection import Inspection

from . import graph_records
from .graph_records import authored, declared, inspected
from .graph_view import GraphViewSet


class VariablesField(serializers.ListField):
    child = ObjectField()


class DraftFields(Fields):
    """What is absent stays as it is. ``hash`` is the fingerprint that was last read, absent before the first save."""

    graph = ObjectField(required=False)
    features = ObjectField(required=False)
    hash = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=64)
    environment_variables = VariablesField(required=False)
    conversation_variables = VariablesField(required=False)


class EnvironmentFields(Fields):
    environment_variables = VariablesField()


class ConversationFields(Fields):
    conversation_variables = VariablesField()


class FeaturesFields(Fields):
    features = ObjectField()


class MarkFields(Fields):
    marked_name = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, default=None, max_length=versions.LONGEST_NAME
    )
    marked_comment = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, default=None, max_length=versions.LONGEST_COMMENT
    )


class VersionListFields(PageFields):
    user_id = CursorField(help_text="Only those that this account published.")
    named_only = serializers.BooleanField(required=False, default=False)


def shown(row: Workflow) -> Any:
    return graph_records.WorkflowRecord(authored([row])[0]).data


def saved(row: Workflow) -> Response:
    return Response({**SUCCESS, "hash": row.hash, "updated_at": clock.epoch(row.updated_at)})


class Drafts(GraphViewSet):
    """The whole draft. A page that is left saves it by a beacon, which has no header of its own."""

    parser_classes = (*GraphViewSet.parser_classes, BeaconParser)
    needs = {"retrieve": "app.edit", "create": "app.edit"}

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [ConsoleAuthentication(beacons=True)]

    @extend_schema(operation_id="getDraftWorkflow", responses=graph_records.WorkflowRecord)
    def retrieve(self, request: Request, app_id: str) -> Response:
        return Response(shown(drafts.get(self.app(app_id))))

    @extend_schema(operation_id="saveDraftWorkflow", request=DraftFields, responses=graph_records.SavedRecord)
    def create(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.body(DraftFields)
        given_hash = fields.pop("hash", None) or ""
        return saved(drafts.save(app, by=self.principal.actor_id, given_hash=given_hash, **fields))


class DraftParts(GraphViewSet):
    """Panels of one part save it whatever happened to the others."""

    needs = {
        "environment": "app.edit", "save_environment": "app.edit", "conversation": "app.edit",
        "save_conversation": "app.edit", "save_features": "app.edit",
    }  # fmt: skip

    def _save(self, app_id: str, serializer: type[Fields]) -> Response:
        app = self.app(app_id)
        drafts.get(app)
        drafts.save(app, by=self.principal.actor_id, given_hash=None, **self.body(serializer))
        return Response(SUCCESS)

    @extend_schema(operation_id="getDraftEnvironmentVariables", responses=graph_records.VariableList)
    def environment(self, request: Request, app_id: str) -> Response:
        return Response({"items": declared("env", drafts.shown_environment(self.app(app_id)))})

    @extend_schema(operation_id="saveDraftEnvironmentVariables", request=EnvironmentFields, responses=ResultRecord)
    def save_environment(self, request: Request, app_id: str) -> Response:
        return self._save(app_id, EnvironmentFields)

    @extend_schema(operation_id="getDraftConversationVariables", responses=graph_records.VariableList)
    def conversation(self, request: Request, app_id: str) -> Response:
        return Response({"items": inspected(Inspection(self.app(app_id)).of_conversation())})

    @extend_schema(operation_id="saveDraftConversationVariables", request=ConversationFields, responses=ResultRecord)
    def save_conversation(self, request: Request, app_id: str) -> Response:
        return self._save(app_id, ConversationFields)

    @extend_schema(operation_id="saveDraftFeatures", request=FeaturesFields, responses=ResultRecord)
    def save_features(self, request: Request, app_id: str) -> Response:
        return self._save(app_id, FeaturesFields)


class Published(GraphViewSet):
    needs = {"retrieve": "app.edit", "create": "app.edit"}

    @extend_schema(operation_id="getPublishedWorkflow", responses=graph_records.WorkflowRecord(allow_null=True))
    def retrieve(self, request: Request, app_id: str) -> Response:
        row = versions.newest(self.app(app_id))
        return Response(None if row is None else shown(row))

    @extend_schema(operation_id="publishWorkflow", request=MarkFields, responses=graph_records.PublishedRecord)
    def create(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.body(MarkFields)
        named = {name: value or "" for name, value in fields.items()}
        row = versions.publish(app, by=self.principal.actor_id, **named)
        return Response({**SUCCESS, "created_at": clock.epoch(row.created_at)})


class Versions(GraphViewSet):
    needs = {"list": "app.edit", "update": "app.edit", "destroy": "app.edit", "restore": "app.edit"}

    @extend_schema(operation_id="getWorkflowVersions", parameters=[VersionListFields], responses=graph_records.VersionPage)
    def list(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.query(VersionListFields)
        by, named_only = fields.get("user_id"), fields["named_only"]
        found = versions.page(app, page=fields["page"], limit=fields["limit"], by=by, named_only=named_only)
        items = graph_records.WorkflowRecord(authored(found.rows), many=True).data
        return Response({"items": items, "page": found.page, "limit": found.limit, "has_more": found.has_more})

    @extend_schema(operation_id="renameWorkflowVersion", request=MarkFields, responses=graph_records.WorkflowRecord)
    def update(self, request: Request, app_id: str, workflow_id: str) -> Response:
        app, fields = self.app(app_id), self.body(MarkFields)
        return Response(shown(versions.rename(app, workflow_id, by=self.principal.actor_id, **fields)))

    @extend_schema(operation_id="deleteWorkflowVersion", request=None, responses={204: None})
    def destroy(self, request: Request, app_id: str, workflow_id: str) -> Response:
        versions.delete(self.app(app_id), workflow_id)
        return Response(status=204)

    @extend_schema(operation_id="restoreWorkflowVersion", request=None, responses=graph_records.SavedRecord)
    def restore(self, request: Request, app_id: str, workflow_id: str) -> Response:
        return saved(versions.restore(self.app(app_id), workflow_id, by=self.principal.actor_id))


graphs = "apps/<str:app_id>/workflows"
routes = [
    path(f"{graphs}/draft", Drafts.as_view({"get": "retrieve", "post": "create"})),
    path(f"{graphs}/draft/environment-variables", DraftParts.as_view({"get": "environment", "post": "save_environment"})),
    path(f"{graphs}/draft/conversation-variables", DraftParts.as_view({"get": "conversation", "post": "save_conversation"})),
    path(f"{graphs}/draft/features", DraftParts.as_view({"post": "save_features"})),
    path(f"{graphs}/publish", Published.as_view({"get": "retrieve", "post": "create"})),
    path(graphs, Versions.as_view({"get": "list"})),
    path(f"{graphs}/<str:workflow_id>", Versions.as_view({"patch": "update", "delete": "destroy"})),
    path(f"{graphs}/<str:workflow_id>/restore", Versions.as_view({"post": "restore"})),
]
