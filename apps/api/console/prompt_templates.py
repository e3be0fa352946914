"""What an advanced prompt starts from."""

from __future__ import annotations

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.models.app import AppMode
from apps.modes.prompt_templates import starting_prompt
from difyproj.tiers.console import ConsoleViewSet

from ..records import Shape
from ..requests import Fields


class TemplateFields(Fields):
    """``model_name`` changes nothing here: models of one mode all start from the same prompt."""

    app_mode = serializers.ChoiceField(AppMode.values)
    model_mode = serializers.ChoiceField(["chat", "completion"])
    has_context = serializers.BooleanField(required=False, default=True)
    model_name = serializers.CharField(required=False, allow_blank=True, max_length=255)


class TemplateRecord(Shape):
    chat_prompt_config = serializers.DictField(required=False)
    completion_prompt_config = serializers.DictField(required=False)
    stop = serializers.ListField(child=serializers.CharField())


class PromptTemplates(ConsoleViewSet):
    tag = "Apps"
    needs = {"retrieve": "app.view"}

    @extend_schema(operation_id="getPromptTemplate", parameters=[TemplateFields], responses=TemplateRecord)
    def retrieve(self, request: Request) -> Response:
        fields = self.query(TemplateFields)
        made = starting_prompt(
            conversation=fields["app_mode"] != AppMode.COMPLETION,
            texts=fields["model_mode"] == "completion",
            context=fields["has_context"],
        )
        return Response(made)


routes = [path("app/prompt-templates", PromptTemplates.as_view({"get": "retrieve"}))]
