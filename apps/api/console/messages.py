"""One message in detail, whoever asked it and through which tier."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import logs, message_details
from difyproj.tiers.console import ConsoleViewSet

from .message_records import MessageDetail


class Messages(ConsoleViewSet):
    tag = "Logs"
    needs = {"retrieve": "app.logs"}

    @extend_schema(operation_id="getMessage", responses=MessageDetail)
    def retrieve(self, request: Request, app_id: str, message_id: str) -> Response:
        (found,) = message_details.of([logs.message(self.app(app_id), message_id)])
        return Response(MessageDetail(found).data)


routes = [path("apps/<str:app_id>/messages/<str:message_id>", Messages.as_view({"get": "retrieve"}))]
