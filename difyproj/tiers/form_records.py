"""Forms of paused runs, as the tiers show and read them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from difyproj.kernel import clock
from difyproj.tiers.fields import ObjectField
from difyproj.tiers.shapes import Fields, Shape
from workflows.models import HumanInputForm


class AnswerFields(Fields):
    inputs = ObjectField()
    action = serializers.CharField(max_length=255)


class FormRecord(Shape):
    form_content = serializers.SerializerMethodField()
    inputs = serializers.SerializerMethodField()
    resolved_default_values = serializers.SerializerMethodField()
    user_actions = serializers.SerializerMethodField()
    expiration_time = serializers.SerializerMethodField()

    def get_form_content(self, row: HumanInputForm) -> str:
        return str(row.definition.get("content", ""))

    def get_inputs(self, row: HumanInputForm) -> list[dict[str, Any]]:
        return list(row.definition.get("inputs") or ())

    def get_resolved_default_values(self, row: HumanInputForm) -> dict[str, Any]:
        return dict(row.definition.get("defaults") or {})

    def get_user_actions(self, row: HumanInputForm) -> list[dict[str, Any]]:
        return list(row.definition.get("actions") or ())

    def get_expiration_time(self, row: HumanInputForm) -> int:
        return clock.epoch(row.expires_at)


class FormPreview(Shape):
    """A form that nobody is asked by."""

    node_id = serializers.CharField()
    node_title = serializers.CharField()
    form_content = serializers.CharField(source="content")
    inputs = serializers.ListField(child=ObjectField())
    actions = serializers.ListField(child=ObjectField())
    resolved_default_values = ObjectField(source="defaults")
    display_in_ui = serializers.BooleanField(default=True)
    form_id = serializers.SerializerMethodField()
    form_token = serializers.SerializerMethodField()
    expiration_time = serializers.SerializerMethodField()

    def get_form_id(self, form: Any) -> str | None:
        return None

    def get_form_token(self, form: Any) -> str | None:
        return None

    def get_expiration_time(self, form: Any) -> int | None:
        return None
