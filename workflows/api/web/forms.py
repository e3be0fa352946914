"""What a paused run asks people: whoever has the form's token reads and answers it, without a passport."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from difyproj.tiers import throttling
from difyproj.tiers.web import OpenWebViewSet
from workflows.services import forms

from ..form_records import AnswerFields, FormRecord

GROUP = "web-form"


class Forms(OpenWebViewSet):
    tag = "Human input"
    also_refuses = (412,)

    @extend_schema(operation_id="getHumanInputForm", responses=FormRecord)
    def retrieve(self, request: Request, form_token: str) -> Response:
        throttling.check_newcomer(self.ip, request, group=GROUP)
        return Response(FormRecord(forms.get(form_token)).data)

    @extend_schema(operation_id="submitHumanInputForm", request=AnswerFields, responses={200: OpenApiTypes.OBJECT})
    def create(self, request: Request, form_token: str) -> Response:
        throttling.check_newcomer(self.ip, request, group=GROUP)
        generation.submit_form(form_token, **self.body(AnswerFields))
        return Response({})


routes = [path("form/human_input/<str:form_token>", Forms.as_view({"get": "retrieve", "post": "create"}))]
