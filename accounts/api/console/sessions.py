"""Where the account is signed in, and how to end that. Ours: the contract has no such routes."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services import sessions
from difyproj.kernel.errors import NotFound
from difyproj.tiers.console import ANY_MEMBER, ConsoleViewSet

from .records import SessionRecord


class SessionsRecord(serializers.Serializer[Any]):
    data = SessionRecord(many=True)  # type: ignore[assignment]


class ClosedRecord(serializers.Serializer[Any]):
    result = serializers.CharField()
    closed = serializers.IntegerField()


class Sessions(ConsoleViewSet):
    tag = "Account"
    needs = dict.fromkeys(("list", "destroy", "destroy_others"), ANY_MEMBER)

    @extend_schema(operation_id="listSessions", responses=SessionsRecord)
    def list(self, request: Request) -> Response:
        told = SessionRecord(sessions.of(self.account), many=True, context={"current": self.login.caller.session_id})
        return Response({"data": told.data})

    @extend_schema(operation_id="endOtherSessions", request=None, responses={200: ClosedRecord})
    def destroy_others(self, request: Request) -> Response:
        closed = sessions.close_all(self.account, but=self.login.caller.session_id)
        return Response({"result": "success", "closed": closed})

    @extend_schema(operation_id="endSession", request=None, responses={204: None})
    def destroy(self, request: Request, session_id: str) -> Response:
        if not sessions.close_one(self.account, session_id):
            raise NotFound("There is no such session.")
        return Response(status=204)


routes = [
    path("account/sessions", Sessions.as_view({"get": "list", "delete": "destroy_others"})),
    path("account/sessions/<str:session_id>", Sessions.as_view({"delete": "destroy"})),
]
