"""Annotations of an app: the list, single ones, CSV in and out, and when each was given as an answer."""

from __future__ import annotations

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import annotation, files
from difyproj.infra import db
from difyproj.tiers import uploads
from difyproj.tiers.actions import Deferred
from difyproj.tiers.console import ConsoleViewSet

from ..annotation_records import (
    LONGEST_TEXT,
    AnnotationFields,
    AnnotationListFields,
    AnnotationPage,
    AnnotationRecord,
    HitPage,
    HitRecord,
    ImportRecord,
    PageFields,
    annotation_page,
    import_record,
)


class NewAnnotationFields(serializers.Serializer[Any]):
    """``message_id`` corrects the answer of a logged message; its question is taken from there when it is not given."""

    question = serializers.CharField(max_length=LONGEST_TEXT, required=False, default="", allow_blank=True)
    answer = serializers.CharField(max_length=LONGEST_TEXT)
    message_id = serializers.CharField(required=False, allow_null=True, allow_blank=True, max_length=64)


class CountRecord(serializers.Serializer[Any]):
    count = serializers.IntegerField()


class ExportRecord(serializers.Serializer[Any]):
    data = AnnotationRecord(many=True)  # type: ignore[assignment]


class Annotations(ConsoleViewSet):
    tag = "Annotations"
    needs = {
        "list": "app.edit", "create": "app.edit", "clear": "app.edit", "update": "app.edit", "destroy": "app.edit",
        "count": "app.view", "export": "app.edit", "hits": "app.edit",
    }  # fmt: skip

    @extend_schema(operation_id="getAnnotations", parameters=[AnnotationListFields], responses=AnnotationPage)
    def list(self, request: Request, app_id: str) -> Response:
        return Response(annotation.page(self.app(app_id), **self.query(AnnotationListFields)).body(annotation_page))

    @extend_schema(operation_id="createAnnotation", request=NewAnnotationFields, responses={201: AnnotationRecord})
    def create(self, request: Request, app_id: str) -> Response:
        app, fields = self.app(app_id), self.body(NewAnnotationFields)
        message_id, me = fields.pop("message_id", None), self.principal.actor_id
        if message_id:
            row = annotation.correct(app, message_id, **fields, account_id=me)
        else:
            row = annotation.create(app, **fields, account_id=me)
        return Response(AnnotationRecord(row).data, status=201)

    @extend_schema(operation_id="deleteAnnotations", request=None, responses={204: None})
    def clear(self, request: Request, app_id: str) -> Response:
        chosen = request.query_params.getlist("annotation_id")
        annotation.delete_some(self.app(app_id), chosen if "annotation_id" in request.query_params else None)
        return Response(status=204)

    @extend_schema(operation_id="updateAnnotation", request=AnnotationFields, responses=AnnotationRecord)
    def update(self, request: Request, app_id: str, annotation_id: str) -> Response:
        row = annotation.get(self.app(app_id), annotation_id)
        return Response(AnnotationRecord(annotation.update(row, **self.body(AnnotationFields))).data)

    @extend_schema(operation_id="deleteAnnotation", request=None, responses={204: None})
    def destroy(self, request: Request, app_id: str, annotation_id: str) -> Response:
        annotation.delete(annotation.get(self.app(app_id), annotation_id))
        return Response(status=204)

    @extend_schema(operation_id="countAnnotations", responses=CountRecord)
    def count(self, request: Request, app_id: str) -> Response:
        return Response({"count": annotation.count(self.app(app_id))})

    @extend_schema(operation_id="exportAnnotations", responses=ExportRecord)
    def export(self, request: Request, app_id: str) -> Response:
        return Response({"data": annotation_page(annotation.everything(self.app(app_id)))})

    @extend_schema(operation_id="getAnnotationHits", parameters=[PageFields], responses=HitPage)
    def hits(self, request: Request, app_id: str, annotation_id: str) -> Response:
        row = annotation.get(self.app(app_id), annotation_id)
        found = annotation.hits(row, **self.query(PageFields))
        return Response(found.body(lambda rows: HitRecord(rows, many=True).data))


class AnnotationImports(ConsoleViewSet):
    tag = "Annotations"
    needs = {"create": "app.edit", "retrieve": "app.edit"}

    @extend_schema(operation_id="importAnnotations", request=uploads.body(), responses=ImportRecord)
    def create(self, request: Request, app_id: str) -> Deferred:
        app, file = self.app(app_id), uploads.the_file(request)
        annotation.check_import(file)
        principal = self.principal
        row = files.plan(owner=principal, file=file)

        async def keep() -> Response:
            kept = await files.keep(row, file)
            return Response(import_record(await db.run(annotation.begin_import, app, kept, principal)))

        return Deferred(keep)

    @extend_schema(operation_id="getAnnotationImport", responses=ImportRecord)
    def retrieve(self, request: Request, app_id: str, job_id: str) -> Response:
        return Response(import_record(annotation.import_job(self.app(app_id), job_id)))


below = "apps/<str:app_id>/annotations"
routes = [
    path(below, Annotations.as_view({"get": "list", "post": "create", "delete": "clear"})),
    path(f"{below}/count", Annotations.as_view({"get": "count"})),
    path(f"{below}/export", Annotations.as_view({"get": "export"})),
    path(f"{below}/batch-import", AnnotationImports.as_view({"post": "create"})),
    path(f"{below}/batch-import-status/<str:job_id>", AnnotationImports.as_view({"get": "retrieve"})),
    path(f"{below}/<str:annotation_id>", Annotations.as_view({"post": "update", "delete": "destroy"})),
    path(f"{below}/<str:annotation_id>/hit-histories", Annotations.as_view({"get": "hits"})),
]
