"""Before anybody signs in: is the instance up, set up, and which version is it."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services import instance
from difyproj.tiers.console import OpenConsoleViewSet


class ResultRecord(serializers.Serializer[Any]):
    result = serializers.CharField()


class SetupState(serializers.Serializer[Any]):
    step = serializers.ChoiceField(["not_started", "finished"])
    setup_at = serializers.CharField(required=False)


class SetupFields(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=255)
    name = serializers.CharField(max_length=30)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    language = serializers.CharField(max_length=32, required=False, default="en-US")


class Ping(OpenConsoleViewSet):
    tag = "System"

    @extend_schema(operation_id="consolePing", responses=ResultRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"result": "pong"})


class Setup(OpenConsoleViewSet):
    tag = "System"

    @extend_schema(operation_id="getSetup", responses=SetupState)
    def retrieve(self, request: Request) -> Response:
        if not instance.is_set_up():
            return Response({"step": "not_started"})
        return Response({"step": "finished", "setup_at": instance.setup_at()})

    @extend_schema(operation_id="setUp", request=SetupFields, responses={201: ResultRecord})
    def create(self, request: Request) -> Response:
        instance.set_up(**self.body(SetupFields))
        return Response({"result": "success"}, status=201)


routes = [
    path("ping", Ping.as_view({"get": "retrieve"})),
    path("setup", Setup.as_view({"get": "retrieve", "post": "create"})),
]
