"""Before anybody signs in: is the instance up, set up, which version is it, and what can it do."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.features import SystemFeaturesRecord
from accounts.api.fields import AddressField
from accounts.services import features, instance
from difyproj.tiers import cookies
from difyproj.tiers.console import OpenConsoleViewSet
from difyproj.tiers.parsers import FastJSONParser
from difyproj.tiers.schema import ResultRecord

INIT_COOKIE: Final = "init_validated"


class SetupState(serializers.Serializer[Any]):
    step = serializers.ChoiceField(["not_started", "finished"])
    setup_at = serializers.CharField(required=False)


class SetupFields(serializers.Serializer[Any]):
    email = AddressField()
    name = serializers.CharField(max_length=30)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    language = serializers.CharField(max_length=32, required=False, default="en-US")


class InitState(serializers.Serializer[Any]):
    status = serializers.CharField(help_text="not_started or finished.")


class InitFields(serializers.Serializer[Any]):
    password = serializers.CharField(max_length=1024, trim_whitespace=False)


class VersionQuery(serializers.Serializer[Any]):
    current_version = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)


class VersionFeaturesRecord(serializers.Serializer[Any]):
    can_replace_logo = serializers.BooleanField()
    model_load_balancing_enabled = serializers.BooleanField()


class VersionRecord(serializers.Serializer[Any]):
    version = serializers.CharField()
    release_date = serializers.CharField()
    release_notes = serializers.CharField()
    can_auto_update = serializers.BooleanField()
    features = VersionFeaturesRecord()


class Ping(OpenConsoleViewSet):
    tag = "System"

    @extend_schema(operation_id="consolePing", responses=ResultRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"result": "pong"})


class Setup(OpenConsoleViewSet):
    tag = "System"
    parser_classes = (FastJSONParser,)

    @extend_schema(operation_id="getSetup", responses=SetupState)
    def retrieve(self, request: Request) -> Response:
        if not instance.is_set_up():
            return Response({"step": "not_started"})
        return Response({"step": "finished", "setup_at": instance.setup_at()})

    @extend_schema(operation_id="setUp", request=SetupFields, responses={201: ResultRecord})
    def create(self, request: Request) -> Response:
        instance.set_up(**self.body(SetupFields), proof=cookies.read(request, INIT_COOKIE))
        response = Response({"result": "success"}, status=201)
        cookies.clear(response, INIT_COOKIE)
        return response


class Init(OpenConsoleViewSet):
    """INIT_PASSWORD, where the operator chose one, comes before the set-up."""

    tag = "System"
    parser_classes = (FastJSONParser,)

    @extend_schema(operation_id="getInit", responses=InitState)
    def retrieve(self, request: Request) -> Response:
        done = instance.init_is_done(cookies.read(request, INIT_COOKIE))
        return Response({"status": "finished" if done else "not_started"})

    @extend_schema(operation_id="validateInit", request=InitFields, responses={201: ResultRecord})
    def create(self, request: Request) -> Response:
        proof = instance.prove_init(**self.body(InitFields), ip=self.ip)
        response = Response({"result": "success"}, status=201)
        cookies.put(response, INIT_COOKIE, proof, instance.INIT_LIFE)
        return response


class Version(OpenConsoleViewSet):
    """What runs here; nobody is asked whether there is something newer."""

    tag = "System"

    @extend_schema(operation_id="getVersion", parameters=[VersionQuery], responses=VersionRecord)
    def retrieve(self, request: Request) -> Response:
        self.query(VersionQuery)
        return Response(features.version())


class SystemFeatures(OpenConsoleViewSet):
    tag = "System"

    @extend_schema(operation_id="getSystemFeatures", responses=SystemFeaturesRecord)
    def retrieve(self, request: Request) -> Response:
        return Response(features.system())


routes = [
    path("ping", Ping.as_view({"get": "retrieve"})),
    path("setup", Setup.as_view({"get": "retrieve", "post": "create"})),
    path("init", Init.as_view({"get": "retrieve", "post": "create"})),
    path("version", Version.as_view({"get": "retrieve"})),
    path("system-features", SystemFeatures.as_view({"get": "retrieve"})),
]
