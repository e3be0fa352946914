"""What paused runs ask people: which of a run's nodes wait, and the form of a token, for members of the workspace."""

from __future__ import annotations

from django.conf import settings
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models import RunStatus
from difyproj.tiers.console import ConsoleViewSet
from difyproj.tiers.fields import IsoField
from difyproj.tiers.form_records import AnswerFields, FormRecord
from difyproj.tiers.shapes import Shape
from workflows.models import HumanInputForm
from workflows.services import forms, runs

TAG = "Human input"


class PauseKind(Shape):
    type = serializers.CharField()
    form_id = serializers.UUIDField()
    backstage_input_url = serializers.CharField(allow_null=True)


class PausedNode(Shape):
    node_id = serializers.CharField()
    node_title = serializers.CharField()
    pause_type = PauseKind()


class PauseRecord(Shape):
    paused_at = IsoField(allow_null=True)
    paused_nodes = PausedNode(many=True)


class Pauses(ConsoleViewSet):
    tag = TAG
    needs = {"retrieve": "app.logs"}

    @extend_schema(operation_id="getPauseDetails", responses=PauseRecord)
    def retrieve(self, request: Request, workflow_run_id: str) -> Response:
        row = runs.visible(self.principal, workflow_run_id)
        waiting = forms.waiting(row.run_id) if row.run.status == RunStatus.PAUSED else []
        paused_at = min((form.created_at for form in waiting), default=None)
        nodes = [_paused(form) for form in waiting]
        return Response(PauseRecord({"paused_at": paused_at, "paused_nodes": nodes}).data)


def _paused(form: HumanInputForm) -> dict[str, object]:
    """Editors may answer in the place of those who are asked."""
    url = f"{settings.PUBLIC_URL}/form/{forms.token_of(form)}"
    kind = {"type": "human_input", "form_id": form.pk, "backstage_input_url": url}
    return {"node_id": form.node_id, "node_title": form.title, "pause_type": kind}


class Forms(ConsoleViewSet):
    """The token alone does not do here: the form must be of the caller's workspace."""

    tag = TAG
    also_refuses = (412,)
    needs = {"retrieve": "app.run", "create": "app.run"}

    @extend_schema(operation_id="getForm", responses=FormRecord)
    def retrieve(self, request: Request, form_token: str) -> Response:
        return Response(FormRecord(self._form(form_token)).data)

    @extend_schema(operation_id="submitForm", request=AnswerFields, responses={200: OpenApiTypes.OBJECT})
    def create(self, request: Request, form_token: str) -> Response:
        form = self._form(form_token)
        account_id = self.principal.actor_id
        generation.submit_form(form_token, **self.body(AnswerFields), app_id=form.app_id, account_id=account_id)
        return Response({})

    def _form(self, token: str) -> HumanInputForm:
        form = forms.find(token)
        if form.tenant_id != self.principal.tenant_id:
            raise forms.FormNotFound
        return forms.get(token, app_id=form.app_id)


routes = [
    path("workflow/<str:workflow_run_id>/pause-details", Pauses.as_view({"get": "retrieve"})),
    path("form/human_input/<str:form_token>", Forms.as_view({"get": "retrieve", "post": "create"})),
]
