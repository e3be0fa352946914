"""What visitors are shown: one serializer per shape that this tier alone has."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps import generation
from apps.models import Message, Site
from apps.models.run import GRAPH_MODES
from apps.services import icons, sites
from apps.services.passports import Visit
from difyproj.tiers.fields import ObjectField

from .. import records
from ..parameter_records import Control, Toggle
from ..records import Shape


class PassportRecord(Shape):
    access_token = serializers.CharField()


class LookRecord(records.SiteRecord):
    """How the page looks and what it says."""

    prompt_public = serializers.BooleanField()
    icon_url = serializers.SerializerMethodField()  # type: ignore[assignment]

    def get_icon_url(self, site: Site) -> str | None:
        return icons.url(site.app.tenant_id, site)


class BrandRecord(Shape):
    remove_webapp_brand = serializers.BooleanField()
    replace_webapp_logo = serializers.CharField(allow_null=True)


class PublicPromptRecord(Shape):
    opening_statement = serializers.CharField()
    suggested_questions = serializers.ListField(child=serializers.CharField())
    suggested_questions_after_answer = Toggle()
    more_like_this = Toggle()
    model = ObjectField()
    user_input_form = serializers.ListField(child=serializers.DictField(child=Control()))
    pre_prompt = serializers.CharField()


class SiteInfoRecord(Shape):
    app_id = serializers.UUIDField(source="app.pk")
    end_user_id = serializers.UUIDField(source="end_user.pk")
    enable_site = serializers.BooleanField(source="app.enable_site")
    plan = serializers.CharField(source="app.tenant.plan")
    can_replace_logo = serializers.BooleanField(default=True)
    custom_config = serializers.SerializerMethodField()
    site = LookRecord()
    model_config = serializers.SerializerMethodField()

    @extend_schema_field(BrandRecord(allow_null=True))
    def get_custom_config(self, visit: Visit) -> dict[str, Any] | None:
        given = visit.app.tenant.custom_config
        if not given:
            return None
        logo = given.get("replace_webapp_logo") or None
        return {"remove_webapp_brand": bool(given.get("remove_webapp_brand")), "replace_webapp_logo": logo}

    @extend_schema_field(PublicPromptRecord(allow_null=True))
    def get_model_config(self, visit: Visit) -> dict[str, Any] | None:
        has_prompt = visit.app.mode not in GRAPH_MODES
        return sites.public_prompt(visit.app) if visit.site.prompt_public and has_prompt else None


class MessageRecord(records.MessageRecord):
    metadata = serializers.SerializerMethodField()

    class Meta:
        model = Message
        fields = (
            "id", "conversation_id", "parent_message_id", "inputs", "query", "answer", "message_files", "feedback",
            "retriever_resources", "agent_thoughts", "extra_contents", "created_at", "status", "error", "metadata",
        )  # fmt: skip
        read_only_fields = fields

    def get_metadata(self, row: Message) -> dict[str, Any]:
        return generation.for_visitors(row.metadata)

    def get_retriever_resources(self, row: Message) -> list[dict[str, Any]]:
        return list(self.get_metadata(row)["retriever_resources"])


class MessageWindow(Shape):
    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = MessageRecord(source="rows", many=True)  # type: ignore[assignment]


class SavedRecord(records.MessageRecord):
    class Meta:
        model = Message
        fields = ("id", "inputs", "query", "answer", "message_files", "feedback", "created_at")
        read_only_fields = fields


class SavedWindow(Shape):
    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = SavedRecord(source="rows", many=True)  # type: ignore[assignment]


class QuestionsRecord(Shape):
    data = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]


class ReplyMetadata(records.ReplyMetadata):
    annotation_reply = None  # type: ignore[assignment]
    usage = None  # type: ignore[assignment]


class CompletionReply(records.CompletionReply):
    metadata = ReplyMetadata()


class ChatReply(records.ChatReply):
    metadata = ReplyMetadata()
