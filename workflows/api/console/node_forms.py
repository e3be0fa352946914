"""A node of a draft that asks people: what it would ask, by which letter, and what it does with an answer."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from difyproj.infra import db
from difyproj.kernel.errors import InvalidParam
from difyproj.tiers.actions import Deferred
from difyproj.tiers.fields import ObjectField
from difyproj.tiers.form_records import FormPreview
from workflows.services import drafts, form_trials

from . import run_records
from .nodes import NodeFields, NodeViewSet

HUMAN_INPUT = "human-input"


class FormRunFields(NodeFields):
    """``form_inputs`` are what a person fills in."""

    form_inputs = ObjectField(required=False, default=dict)
    action = serializers.CharField(max_length=255)


class DeliveryFields(NodeFields):
    delivery_method_id = serializers.CharField(max_length=255)


class AskingViewSet(NodeViewSet):
    def asking(self, app_id: str, node_id: str) -> Any:
        """The plan of a node that asks people. Raises NodeNotFound for another one."""
        app = self.app(app_id)
        if drafts.node_type(drafts.get(app), node_id) != HUMAN_INPUT:
            raise generation.NodeNotFound
        return self.plan(app, node_id)


class HumanInput(AskingViewSet):
    """The form as people would get it. Nobody is asked."""

    needs = {"preview": "app.edit", "preview_in_chat": "app.edit"}

    def _preview(self, app_id: str, node_id: str) -> Deferred:
        plan = self.asking(app_id, node_id)

        async def ask() -> Response:
            row = await generation.run_node(plan)
            if not row.outputs:
                raise InvalidParam(row.error, params=node_id)
            return Response(FormPreview({"node_id": node_id, "node_title": row.title, **row.outputs["form"]}).data)

        return Deferred(ask)

    @extend_schema(operation_id="previewForm", request=NodeFields, responses=FormPreview)
    def preview(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._preview(app_id, node_id)

    @extend_schema(operation_id="previewFormInChat", request=NodeFields, responses=FormPreview)
    def preview_in_chat(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._preview(app_id, node_id)


class DeliveryTests(AskingViewSet):
    """The letter of a form, to its author."""

    needs = {"create": "app.edit"}

    @extend_schema(operation_id="testFormDelivery", request=DeliveryFields, responses={200: OpenApiTypes.OBJECT})
    def create(self, request: Request, app_id: str, node_id: str) -> Deferred:
        plan, method = self.asking(app_id, node_id), self.body(DeliveryFields)["delivery_method_id"]

        async def send() -> Response:
            row = await generation.run_node(plan)
            if not row.outputs:
                raise InvalidParam(row.error, params=node_id)
            await db.run(form_trials.send, row, method, self.account)
            return Response({})

        return Deferred(send)


class Answers(AskingViewSet):
    """A node that asks people, run with an answer of the author's own."""

    needs = {"create": "app.edit", "create_in_chat": "app.edit"}

    def _run(self, app_id: str, node_id: str) -> Deferred:
        plan, fields = self.asking(app_id, node_id), self.body(FormRunFields)

        async def answer() -> Response:
            asked = await generation.run_node(plan)
            with_answer = generation.answer_node(plan, asked, action=fields["action"], inputs=fields["form_inputs"])
            return Response(self.shown(await generation.run_node(with_answer)))

        return Deferred(answer)

    @extend_schema(operation_id="runForm", request=FormRunFields, responses=run_records.ExecutionRecord)
    def create(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._run(app_id, node_id)

    @extend_schema(operation_id="runFormInChat", request=FormRunFields, responses=run_records.ExecutionRecord)
    def create_in_chat(self, request: Request, app_id: str, node_id: str) -> Deferred:
        return self._run(app_id, node_id)


node = "workflows/draft/human-input/nodes/<str:node_id>"
chats = "apps/<str:app_id>/advanced-chat"
routes = [
    path(f"apps/<str:app_id>/{node}/form/preview", HumanInput.as_view({"post": "preview"})),
    path(f"{chats}/{node}/form/preview", HumanInput.as_view({"post": "preview_in_chat"})),
    path(f"apps/<str:app_id>/{node}/delivery-test", DeliveryTests.as_view({"post": "create"})),
    path(f"apps/<str:app_id>/{node}/form/run", Answers.as_view({"post": "create"})),
    path(f"{chats}/{node}/form/run", Answers.as_view({"post": "create_in_chat"})),
]
