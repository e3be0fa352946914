"""Drafts begun by their triggers: a webhook waits for a call of its debug address, a schedule runs at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models import App
from difyproj.tiers.actions import Deferred
from difyproj.tiers.shapes import Fields, Shape
from difyproj.tiers.streaming import EventStream
from workflows.models import TriggerKind
from workflows.services import drafts, triggers, webhook_calls

from . import run_records
from .graph_view import GraphViewSet

RETRY_MILLISECONDS = 2000
MOST_NODES = 50


class TriggerNodeFields(Fields):
    node_id = serializers.CharField(max_length=255)


class TriggerNodesFields(Fields):
    node_ids = serializers.ListField(child=serializers.CharField(max_length=255), min_length=1, max_length=MOST_NODES)


class WaitingRecord(Shape):
    """Ask again after ``retry_in`` milliseconds."""

    status = serializers.CharField()
    retry_in = serializers.IntegerField()


STREAM = OpenApiResponse(OpenApiTypes.STR, description="The records of the run, as those of a draft's run.")
RESPONSES = {(200, "application/json"): WaitingRecord, (200, "text/event-stream"): STREAM}


def waiting() -> Response:
    return Response({"status": "waiting", "retry_in": RETRY_MILLISECONDS})


class TriggerRuns(GraphViewSet):
    tag = "Workflow debugging"
    needs = {"one": "app.edit", "any": "app.edit", "node": "app.edit"}

    @extend_schema(operation_id="runDraftByTrigger", request=TriggerNodeFields, responses=RESPONSES)
    def one(self, request: Request, app_id: str) -> HttpResponseBase | Deferred:
        return self._run(self.app(app_id), [self.body(TriggerNodeFields)["node_id"]])

    @extend_schema(operation_id="runDraftByAnyTrigger", request=TriggerNodesFields, responses=RESPONSES)
    def any(self, request: Request, app_id: str) -> HttpResponseBase | Deferred:
        return self._run(self.app(app_id), self.body(TriggerNodesFields)["node_ids"])

    @extend_schema(
        operation_id="runDraftTrigger", request=None,
        responses={200: run_records.ExecutionRecord, (200, "application/json; waiting"): WaitingRecord},
    )  # fmt: skip
    def node(self, request: Request, app_id: str, node_id: str) -> HttpResponseBase | Deferred:
        """The node alone."""
        app = self.app(app_id)
        begun = self._begun(app, [node_id])
        if begun is None:
            return waiting()
        plan = generation.plan_node(self.principal_for(app), app, node_id, inputs=begun[1])

        async def run() -> Response:
            row = await generation.run_node(plan)
            return Response(run_records.ExecutionRecord(run_records.Executed(row, self.account)).data)

        return Deferred(run)

    def _run(self, app: App, node_ids: Sequence[str]) -> HttpResponseBase | Deferred:
        begun = self._begun(app, node_ids)
        if begun is None:
            return waiting()
        principal = self.principal_for(app)
        asked = generation.GenerateRequest(target=generation.DRAFT, entry=begun[0], inputs=begun[1])
        run_id, allowed = generation.generate(principal, app, asked), self.still_allowed()

        async def stream() -> EventStream:
            return EventStream(await generation.subscribe(principal, run_id), allowed=allowed)

        return Deferred(stream)

    def _begun(self, app: App, node_ids: Sequence[str]) -> tuple[str, Mapping[str, Any]] | None:
        """The trigger that fired and its inputs; None while all wait. Webhooks are asked first."""
        draft = drafts.get(app)
        kinds = {node_id: triggers.KINDS.get(drafts.node_type(draft, node_id)) for node_id in node_ids}
        if None in kinds.values():
            raise triggers.TriggerNotFound
        hooks = [node_id for node_id, kind in kinds.items() if kind is TriggerKind.WEBHOOK]
        for node_id in hooks:
            caught = webhook_calls.listen(triggers.address(app, node_id), by=self.principal.actor_id)
            if caught is not None:
                return node_id, caught
        return None if hooks else (node_ids[0], {})


draft = "apps/<str:app_id>/workflows/draft"
routes = [
    path(f"{draft}/trigger/run", TriggerRuns.as_view({"post": "one"})),
    path(f"{draft}/trigger/run-all", TriggerRuns.as_view({"post": "any"})),
    path(f"{draft}/nodes/<str:node_id>/trigger/run", TriggerRuns.as_view({"post": "node"})),
]
