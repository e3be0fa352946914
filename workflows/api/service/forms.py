"""What a paused run asks people: the form of a token, read and answered."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from apps.models.run import GRAPH_MODES
from difyproj.kernel.errors import DomainError, NotWorkflowApp
from difyproj.tiers.base import ServiceViewSet
from difyproj.tiers.fields import UserField
from difyproj.tiers.form_records import AnswerFields, FormRecord
from workflows.services import forms


class UserAnswerFields(AnswerFields):
    user = UserField()


class Forms(ServiceViewSet):
    tag = "Human Input"
    also_refuses = (412,)
    modes = frozenset(GRAPH_MODES)
    wrong_mode: ClassVar[type[DomainError]] = NotWorkflowApp

    @extend_schema(operation_id="getHumanInputForm", responses=FormRecord)
    def retrieve(self, request: Request, form_token: str) -> Response:
        return Response(FormRecord(forms.get(form_token, app_id=self.app.pk)).data)

    @extend_schema(operation_id="submitHumanInputForm", request=UserAnswerFields, responses={200: OpenApiTypes.OBJECT})
    def create(self, request: Request, form_token: str) -> Response:
        fields = self.body(UserAnswerFields)
        end_user = self.end_user(fields.pop("user"))
        generation.submit_form(form_token, **fields, app_id=self.app.pk, end_user_id=end_user.pk)
        return Response({})
