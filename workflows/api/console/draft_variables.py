"""Variables of a draft: what its runs left in them, changed by its author, reset and taken away."""

from __future__ import annotations

from functools import partial

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from difyproj.tiers.shapes import Fields, PageFields
from workflows.services import draft_variables
from workflows.services.inspection import Inspection, Variable

from .graph_records import DraftVariableRecord, VariableList, inspected
from .graph_view import GraphViewSet

ACTIONS = ("list", "clear", "of_node", "clear_node", "of_system", "retrieve", "update", "destroy", "reset")


class InspectedPage(VariableList):
    total = serializers.IntegerField()


class ChangeFields(Fields):
    """What is absent or null stays. A file is written as in the body of a run."""

    name = serializers.CharField(required=False, allow_null=True, max_length=255)
    value = serializers.JSONField(required=False, allow_null=True)


def shown(found: Variable) -> Response:
    return Response(inspected([found])[0])


class DraftVariables(GraphViewSet):
    tag = "Workflow debugging"
    needs = dict.fromkeys(ACTIONS, "app.edit")

    @extend_schema(operation_id="getDraftVariables", parameters=[PageFields], responses=InspectedPage)
    def list(self, request: Request, app_id: str) -> Response:
        found, fields = Inspection(self.app(app_id)).everything(), self.query(PageFields)
        start = (fields["page"] - 1) * fields["limit"]
        return Response({"items": inspected(found[start : start + fields["limit"]]), "total": len(found)})

    @extend_schema(operation_id="clearDraftVariables", request=None, responses={204: None})
    def clear(self, request: Request, app_id: str) -> Response:
        draft_variables.clear(self.app(app_id))
        return Response(status=204)

    @extend_schema(operation_id="getDraftVariablesOfNode", responses=VariableList)
    def of_node(self, request: Request, app_id: str, node_id: str) -> Response:
        return Response({"items": inspected(draft_variables.of_node(self.app(app_id), node_id))})

    @extend_schema(operation_id="clearDraftVariablesOfNode", request=None, responses={204: None})
    def clear_node(self, request: Request, app_id: str, node_id: str) -> Response:
        draft_variables.clear(self.app(app_id), node_id)
        return Response(status=204)

    @extend_schema(operation_id="getDraftSystemVariables", responses=VariableList)
    def of_system(self, request: Request, app_id: str) -> Response:
        return Response({"items": inspected(Inspection(self.app(app_id)).of_system())})

    @extend_schema(operation_id="getDraftVariable", responses=DraftVariableRecord)
    def retrieve(self, request: Request, app_id: str, variable_id: str) -> Response:
        return shown(draft_variables.get(self.app(app_id), variable_id))

    @extend_schema(operation_id="changeDraftVariable", request=ChangeFields, responses=DraftVariableRecord)
    def update(self, request: Request, app_id: str, variable_id: str) -> Response:
        app = self.app(app_id)
        given = {name: value for name, value in self.body(ChangeFields).items() if value is not None}
        take = partial(generation.kept_files, self.principal_for(app), field="value")
        return shown(draft_variables.change(app, variable_id, take=take, **given))

    @extend_schema(operation_id="deleteDraftVariable", request=None, responses={204: None})
    def destroy(self, request: Request, app_id: str, variable_id: str) -> Response:
        draft_variables.delete(self.app(app_id), variable_id)
        return Response(status=204)

    @extend_schema(operation_id="resetDraftVariable", request=None, responses={200: DraftVariableRecord, 204: None})
    def reset(self, request: Request, app_id: str, variable_id: str) -> Response:
        found = draft_variables.reset(self.app(app_id), variable_id)
        return Response(status=204) if found is None else shown(found)


draft = "apps/<str:app_id>/workflows/draft"
one, of_node = f"{draft}/variables/<str:variable_id>", f"{draft}/nodes/<str:node_id>/variables"
routes = [
    path(f"{draft}/variables", DraftVariables.as_view({"get": "list", "delete": "clear"})),
    path(one, DraftVariables.as_view({"get": "retrieve", "patch": "update", "delete": "destroy"})),
    path(f"{one}/reset", DraftVariables.as_view({"put": "reset"})),
    path(of_node, DraftVariables.as_view({"get": "of_node", "delete": "clear_node"})),
    path(f"{draft}/system-variables", DraftVariables.as_view({"get": "of_system"})),
]
