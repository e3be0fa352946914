"""Annotation replies of an app: on, off, how near a question has to be."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import annotation_reply
from difyproj.tiers.console import ConsoleViewSet

from .. import annotation_replies


class AnnotationReplies(ConsoleViewSet):
    tag = "Annotations"
    needs = {"create": "app.edit", "retrieve": "app.edit", "setting": "app.edit", "change": "app.edit"}

    @extend_schema(
        operation_id="setAnnotationReply",
        parameters=[annotation_replies.ACTION],
        request=annotation_replies.ReplyFields,
        responses={200: annotation_replies.ReplyJobRecord},
    )
    def create(self, request: Request, app_id: str, action: str) -> Response:
        app, fields = self.app(app_id), self.body(annotation_replies.ReplyFields)
        return Response(annotation_replies.act(app, action, fields, self.principal.actor_id))

    @extend_schema(
        operation_id="getAnnotationReplyJob",
        parameters=[annotation_replies.ACTION],
        responses=annotation_replies.ReplyJobStatus,
    )
    def retrieve(self, request: Request, app_id: str, action: str, job_id: str) -> Response:
        return Response(annotation_replies.status(annotation_reply.job(self.app(app_id), job_id)))

    @extend_schema(operation_id="getAnnotationSetting", responses=annotation_replies.SettingRecord)
    def setting(self, request: Request, app_id: str) -> Response:
        return Response(annotation_replies.setting(annotation_reply.setting(self.app(app_id))))

    @extend_schema(
        operation_id="changeAnnotationSetting",
        request=annotation_replies.ThresholdFields,
        responses={200: annotation_replies.SettingRecord},
    )
    def change(self, request: Request, app_id: str, annotation_setting_id: str) -> Response:
        app, fields = self.app(app_id), self.body(annotation_replies.ThresholdFields)
        return Response(annotation_replies.setting(annotation_reply.change(app, annotation_setting_id, **fields)))


routes = [
    path("apps/<str:app_id>/annotation-reply/<str:action>", AnnotationReplies.as_view({"post": "create"})),
    path("apps/<str:app_id>/annotation-reply/<str:action>/status/<str:job_id>", AnnotationReplies.as_view({"get": "retrieve"})),
    path("apps/<str:app_id>/annotation-setting", AnnotationReplies.as_view({"get": "setting"})),
    path("apps/<str:app_id>/annotation-settings/<str:annotation_setting_id>", AnnotationReplies.as_view({"post": "change"})),
]
