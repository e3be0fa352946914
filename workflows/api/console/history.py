"""The history of runs: listed, counted, shown with their traces, stopped."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import ClassVar

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models import RunStatus
from difyproj.kernel import ids
from difyproj.tiers.fields import CursorField, LimitField
from difyproj.tiers.schema import ResultRecord
from difyproj.tiers.shapes import SUCCESS, Fields
from workflows.models import TriggeredFrom
from workflows.services import runs

from ..records import seen
from . import run_records
from .graph_view import GraphViewSet

SPAN = re.compile(r"([1-9][0-9]{0,5})([dhms])")
UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
LONGEST = timedelta(days=100 * 365)
CHATFLOWS = frozenset({"advanced-chat"})


class OriginFields(Fields):
    """The editor's own runs, unless others are asked for."""

    status = serializers.ChoiceField(RunStatus.values, required=False, default="", allow_blank=True)
    triggered_from = serializers.ChoiceField(TriggeredFrom.values, required=False, default=TriggeredFrom.DEBUGGING)


class RunListFields(OriginFields):
    last_id = CursorField()
    limit = LimitField()


class RunCountFields(OriginFields):
    time_range = serializers.RegexField(
        rf"^{SPAN.pattern}$", required=False, default="", allow_blank=True, help_text="The last of it: 7d, 4h, 30m, 30s."
    )


class RunViewSet(GraphViewSet):
    tag = "Workflow runs"
    needs = {
        "list": "app.logs", "count": "app.logs", "retrieve": "app.logs", "executions": "app.logs", "stop": "app.run",
    }  # fmt: skip
    with_messages: ClassVar[bool] = False
    record: ClassVar[type[run_records.RunRecord]] = run_records.RunRecord

    def list(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.query(RunListFields)
        found = runs.window(
            app,
            last_id=fields.get("last_id"),
            limit=fields["limit"],
            status=fields["status"],
            triggered_from=[fields["triggered_from"]],
        )
        data = self.record(seen(found.rows, with_messages=self.with_messages), many=True).data
        return Response({"limit": found.limit, "has_more": found.has_more, "data": data})

    def count(self, request: Request, app_id: str) -> Response:
        """``total`` counts all, whatever ``status`` is asked for; a status that was not asked for counts nothing."""
        app, fields = self.app(app_id), self.query(RunCountFields)
        span = SPAN.fullmatch(fields["time_range"])
        within = min(timedelta(**{UNITS[span[2]]: int(span[1])}), LONGEST) if span else None
        counted = runs.counts(app, triggered_from=[fields["triggered_from"]], within=within)
        wanted = fields["status"]
        if wanted:
            counted = {name: count if name == wanted else 0 for name, count in counted.items()}
            counted["total"] = counted[wanted]
        return Response({name.replace("-", "_"): count for name, count in counted.items()})


class Runs(RunViewSet):
    @extend_schema(operation_id="getWorkflowRuns", parameters=[RunListFields], responses=run_records.RunWindow)
    def list(self, request: Request, app_id: str) -> Response:
        return super().list(request, app_id)

    @extend_schema(operation_id="countWorkflowRuns", parameters=[RunCountFields], responses=run_records.RunCountRecord)
    def count(self, request: Request, app_id: str) -> Response:
        return super().count(request, app_id)

    @extend_schema(operation_id="getWorkflowRun", responses=run_records.RunDetail)
    def retrieve(self, request: Request, app_id: str, run_id: str) -> Response:
        (found,) = seen([runs.get(self.app(app_id), run_id)])
        return Response(run_records.RunDetail(found).data)

    @extend_schema(operation_id="getNodeExecutions", responses=run_records.ExecutionList)
    def executions(self, request: Request, app_id: str, run_id: str) -> Response:
        (asker,) = seen([runs.get(self.app(app_id), run_id)])
        rows = run_records.executed(runs.node_executions(asker.row), asker)
        return Response({"data": run_records.ExecutionRecord(rows, many=True).data})

    @extend_schema(operation_id="stopWorkflowRun", request=None, responses=ResultRecord)
    def stop(self, request: Request, app_id: str, task_id: str) -> Response:
        """Always a success: a task that is unknown, over or another app's is left alone."""
        principal = self.principal_for(self.app(app_id))
        key = ids.parse(task_id)
        if key is not None:
            generation.stop(principal, key)
        return Response(SUCCESS)


class ChatRuns(RunViewSet):
    modes = CHATFLOWS
    with_messages = True
    record = run_records.ChatRunRecord

    @extend_schema(operation_id="getChatflowRuns", parameters=[RunListFields], responses=run_records.ChatRunWindow)
    def list(self, request: Request, app_id: str) -> Response:
        return super().list(request, app_id)

    @extend_schema(operation_id="countChatflowRuns", parameters=[RunCountFields], responses=run_records.RunCountRecord)
    def count(self, request: Request, app_id: str) -> Response:
        return super().count(request, app_id)


history, chats = "apps/<str:app_id>/workflow-runs", "apps/<str:app_id>/advanced-chat/workflow-runs"
routes = [
    path(history, Runs.as_view({"get": "list"})),
    path(f"{history}/count", Runs.as_view({"get": "count"})),
    path(f"{history}/tasks/<str:task_id>/stop", Runs.as_view({"post": "stop"})),
    path(f"{history}/<str:run_id>", Runs.as_view({"get": "retrieve"})),
    path(f"{history}/<str:run_id>/node-executions", Runs.as_view({"get": "executions"})),
    path(chats, ChatRuns.as_view({"get": "list"})),
    path(f"{chats}/count", ChatRuns.as_view({"get": "count"})),
]
