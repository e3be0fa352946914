"""Annotations of the token's app."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.services import annotation, annotation_reply
from difyproj.tiers.base import CHAT_MODES, ServiceViewSet

from .. import annotation_replies
from ..annotation_records import AnnotationFields, AnnotationListFields, AnnotationPage, AnnotationRecord, annotation_page


class Annotations(ServiceViewSet):
    tag = "Annotations"
    modes = CHAT_MODES

    @extend_schema(operation_id="getAnnotationList", parameters=[AnnotationListFields], responses=AnnotationPage)
    def list(self, request: Request) -> Response:
        return Response(annotation.page(self.app, **self.query(AnnotationListFields)).body(annotation_page))

    @extend_schema(operation_id="createAnnotation", request=AnnotationFields, responses={201: AnnotationRecord})
    def create(self, request: Request) -> Response:
        row = annotation.create(self.app, **self.body(AnnotationFields))
        return Response(AnnotationRecord(row).data, status=201)

    @extend_schema(operation_id="updateAnnotation", request=AnnotationFields, responses=AnnotationRecord)
    def update(self, request: Request, annotation_id: str) -> Response:
        row = annotation.get(self.app, annotation_id)
        return Response(AnnotationRecord(annotation.update(row, **self.body(AnnotationFields))).data)

    @extend_schema(operation_id="deleteAnnotation", request=None, responses={204: None})
    def destroy(self, request: Request, annotation_id: str) -> Response:
        annotation.delete(annotation.get(self.app, annotation_id))
        return Response(status=204)


class AnnotationReplies(ServiceViewSet):
    tag = "Annotations"
    modes = CHAT_MODES

    @extend_schema(
        operation_id="initialAnnotationReplySettings",
        parameters=[annotation_replies.ACTION],
        request=annotation_replies.ReplyFields,
        responses={200: annotation_replies.ReplyJobRecord},
    )
    def create(self, request: Request, action: str) -> Response:
        fields = self.body(annotation_replies.ReplyFields)
        return Response(annotation_replies.act(self.app, action, fields, None))

    @extend_schema(
        operation_id="getInitialAnnotationReplySettingsStatus",
        parameters=[annotation_replies.ACTION],
        responses=annotation_replies.ReplyJobStatus,
    )
    def retrieve(self, request: Request, action: str, job_id: str) -> Response:
        return Response(annotation_replies.status(annotation_reply.job(self.app, job_id)))
