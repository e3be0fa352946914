"""App files: taken in, checked before, confirmed when they are of a newer DSL, and what they lack here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.urls import path
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import dsl
from apps.services.dsl import Status
from difyproj.tiers.actions import Deferred
from difyproj.tiers.console import ConsoleViewSet, OpenConsoleViewSet
from difyproj.tiers.schema import ErrorBody

from ..records import Shape
from .app_requests import ChangeFields, LooksFields, OptionalText

HTTP_STATUS = {Status.FAILED: 400, Status.PENDING: 202}
MAX_URL = 8192


class SourceFields(ChangeFields):
    """``yaml_content`` or ``yaml_url``, as ``mode`` says."""

    mode = serializers.ChoiceField([dsl.CONTENT, dsl.URL])
    yaml_content = OptionalText(trim_whitespace=False)
    yaml_url = OptionalText(max_length=MAX_URL)


class ImportFields(LooksFields, SourceFields):
    """``app_id`` names the app that is overwritten."""

    name = OptionalText(max_length=255)
    app_id = OptionalText(max_length=64)


class AppImportRecord(Shape):
    id = serializers.UUIDField()
    status = serializers.ChoiceField([str(status) for status in Status])
    app_id = serializers.UUIDField(allow_null=True)
    app_mode = serializers.CharField(allow_null=True)
    current_dsl_version = serializers.CharField()
    imported_dsl_version = serializers.CharField()
    error = serializers.CharField()


# A file that cannot be taken is told in an import's own shape, a body that cannot be read in the shape of all errors.
REFUSED = PolymorphicProxySerializer("RefusedImport", [AppImportRecord, ErrorBody], None)
TAKEN = {200: AppImportRecord, 202: AppImportRecord, 400: REFUSED}


class FindingRecord(Shape):
    """``place`` is a node's id or a section of the file, ``kind`` and ``name`` what it needs."""

    level = serializers.ChoiceField(["error", "missing", "warning", "mapped"])
    place = serializers.CharField()
    title = serializers.CharField()
    field = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    message = serializers.CharField()


class AppCheckRecord(Shape):
    status = serializers.ChoiceField([str(status) for status in Status])
    name = serializers.CharField(source="document.app.name")
    mode = serializers.CharField(source="document.app.mode")
    current_dsl_version = serializers.CharField()
    imported_dsl_version = serializers.CharField(source="document.version")
    findings = FindingRecord(many=True)


class DependenciesRecord(Shape):
    leaked_dependencies = serializers.ListField(child=serializers.JSONField())


class DslVersionRecord(Shape):
    app_dsl_version = serializers.CharField()


class Imports(ConsoleViewSet):
    tag = "DSL"
    needs = {"create": "app.edit", "confirm": "app.edit", "check": "app.edit"}

    @extend_schema(operation_id="importApp", request=ImportFields, responses=TAKEN)
    def create(self, request: Request) -> Deferred:
        fields, tenant, by = self.body(ImportFields), self.tenant, self.principal.actor_id
        looks, app_id = dsl.Looks.of(fields), fields.get("app_id")

        async def take() -> Response:
            return shown(await dsl.take_from(source(fields), tenant=tenant, by=by, looks=looks, app_id=app_id))

        return Deferred(take)

    @extend_schema(operation_id="confirmImport", request=None, responses={200: AppImportRecord, 400: REFUSED})
    def confirm(self, request: Request, import_id: str) -> Response:
        return shown(dsl.confirm(tenant=self.tenant, by=self.principal.actor_id, import_id=import_id))

    @extend_schema(operation_id="checkImport", request=SourceFields, responses=AppCheckRecord)
    def check(self, request: Request) -> Deferred:
        fields, tenant = self.body(SourceFields), self.tenant

        async def check() -> Response:
            return Response(AppCheckRecord(await dsl.check_from(source(fields), tenant=tenant)).data)

        return Deferred(check)


class Dependencies(ConsoleViewSet):
    tag = "DSL"
    needs = {"retrieve": "app.edit"}

    @extend_schema(operation_id="checkDependencies", responses=DependenciesRecord)
    def retrieve(self, request: Request, app_id: str) -> Response:
        return Response({"leaked_dependencies": dsl.leaked_dependencies(self.app(app_id))})


class DslVersion(OpenConsoleViewSet):
    tag = "DSL"

    @extend_schema(operation_id="getDslVersion", responses=DslVersionRecord)
    def retrieve(self, request: Request) -> Response:
        return Response({"app_dsl_version": dsl.VERSION})


def source(fields: Mapping[str, Any]) -> dsl.Source:
    return dsl.Source(fields["mode"], fields.get("yaml_content") or "", fields.get("yaml_url") or "")


def shown(result: dsl.Result) -> Response:
    return Response(AppImportRecord(result).data, status=HTTP_STATUS.get(result.status, 200))


routes = [
    path("app-dsl-version", DslVersion.as_view({"get": "retrieve"})),
    path("apps/imports", Imports.as_view({"post": "create"})),
    path("apps/imports/check", Imports.as_view({"post": "check"})),
    path("apps/imports/<str:import_id>/confirm", Imports.as_view({"post": "confirm"})),
    path("apps/imports/<str:app_id>/check-dependencies", Dependencies.as_view({"get": "retrieve"})),
]
