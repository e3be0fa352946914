"""The log of an app's published runs."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from workflows.services import logs

from .. import records, requests
from .graph_view import GraphViewSet


class Logs(GraphViewSet):
    tag = "Logs"
    needs = {"list": "app.logs"}

    @extend_schema(operation_id="getWorkflowLogs", parameters=[requests.LogFields], responses=records.LogPage)
    def list(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.query(requests.LogFields)
        found = logs.page(app, requests.filters(fields), page=fields["page"], limit=fields["limit"])
        return Response(found.body(lambda rows: records.LogLine(records.seen(rows), many=True).data))


routes = [path("apps/<str:app_id>/workflow-app-logs", Logs.as_view({"get": "list"}))]
