"""What we answer: one serializer per shape of the contract."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.models import Conversation, EndUser, Feedback, Message, MessageFile, UploadFile
from apps.services import conversations, files, messages
from difyproj.tiers.fields import EpochField, IsoField, ObjectField, WrittenField
from difyproj.tiers.schema import ResultRecord as ResultRecord
from difyproj.tiers.shapes import SUCCESS as SUCCESS
from difyproj.tiers.shapes import Shape as Shape

from . import form_records


class EndUserRecord(serializers.ModelSerializer[EndUser]):
    created_at = IsoField()
    updated_at = IsoField()

    class Meta:
        model = EndUser
        fields = (
            "id", "tenant_id", "app_id", "type", "external_user_id", "name", "is_anonymous", "session_id",
            "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class FeedbackRecord(serializers.ModelSerializer[Feedback]):
    from_end_user_id = serializers.UUIDField(source="end_user_id", allow_null=True)
    from_account_id = serializers.UUIDField(source="account_id", allow_null=True)
    created_at = IsoField()
    updated_at = IsoField()

    class Meta:
        model = Feedback
        fields = (
            "id", "app_id", "conversation_id", "message_id", "rating", "content", "from_source", "from_end_user_id",
            "from_account_id", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class FeedbackList(Shape):
    data = FeedbackRecord(many=True)  # type: ignore[assignment]


class ConversationRecord(serializers.ModelSerializer[Conversation]):
    name = serializers.SerializerMethodField()
    inputs = ObjectField()
    created_at = EpochField()
    updated_at = EpochField()

    class Meta:
        model = Conversation
        fields = ("id", "name", "inputs", "status", "introduction", "created_at", "updated_at")
        read_only_fields = fields

    def get_name(self, row: Conversation) -> str:
        return row.name or conversations.DEFAULT_NAME


class MessageFileRecord(serializers.ModelSerializer[MessageFile]):
    filename = serializers.SerializerMethodField()
    mime_type = serializers.SerializerMethodField()
    size = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()
    upload_file_id = serializers.UUIDField(allow_null=True)

    class Meta:
        model = MessageFile
        fields = ("id", "filename", "type", "url", "mime_type", "size", "transfer_method", "belongs_to", "upload_file_id")
        read_only_fields = fields

    def get_filename(self, row: MessageFile) -> str:
        return row.upload_file.name if row.upload_file else row.url.rsplit("/", 1)[-1]

    def get_mime_type(self, row: MessageFile) -> str | None:
        return row.upload_file.mime_type if row.upload_file else None

    def get_size(self, row: MessageFile) -> int | None:
        return row.upload_file.size if row.upload_file else None

    def get_url(self, row: MessageFile) -> str | None:
        return files.signed_url(row.upload_file) if row.upload_file else row.url


class RatingRecord(Shape):
    rating = serializers.CharField()


class MessageRecord(serializers.ModelSerializer[Message]):
    inputs = ObjectField()
    message_files = MessageFileRecord(source="files", many=True)
    feedback = serializers.SerializerMethodField()
    retriever_resources = serializers.SerializerMethodField()
    agent_thoughts = serializers.SerializerMethodField()
    extra_contents = serializers.SerializerMethodField()
    created_at = EpochField()
    total_tokens = serializers.SerializerMethodField()
    total_price = serializers.SerializerMethodField()
    provider_response_latency = serializers.FloatField(source="latency")

    class Meta:
        model = Message
        fields = (
            "id", "conversation_id", "parent_message_id", "inputs", "query", "answer", "status", "error", "message_files",
            "feedback", "retriever_resources", "agent_thoughts", "created_at", "extra_contents", "message_tokens",
            "answer_tokens", "total_tokens", "provider_response_latency", "total_price", "currency",
        )  # fmt: skip
        read_only_fields = fields

    def get_feedback(self, row: Message) -> dict[str, str] | None:
        given = next((feedback for feedback in row.feedbacks.all() if feedback.from_source == "user"), None)
        return {"rating": given.rating} if given else None

    def get_retriever_resources(self, row: Message) -> list[dict[str, Any]]:
        return list(row.metadata.get("retriever_resources") or [])

    def get_agent_thoughts(self, row: Message) -> list[dict[str, Any]]:
        """Chat and completion apps do not think aloud."""
        return []

    def get_extra_contents(self, row: Message) -> list[dict[str, Any]]:
        """What people were asked, in chatflows."""
        return [form_records.content(form) for form in messages.forms_of(row)]

    def get_total_tokens(self, row: Message) -> int:
        return row.message_tokens + row.answer_tokens

    def get_total_price(self, row: Message) -> str | None:
        return None if row.total_price is None else format(row.total_price.normalize(), "f")


class UploadFileRecord(serializers.ModelSerializer[UploadFile]):
    reference = serializers.SerializerMethodField()
    created_by = serializers.SerializerMethodField()
    created_at = EpochField()
    preview_url = serializers.SerializerMethodField()
    source_url = serializers.SerializerMethodField()
    original_url = serializers.SerializerMethodField()
    user_id = serializers.SerializerMethodField()
    conversation_id = serializers.SerializerMethodField()
    file_key = serializers.SerializerMethodField()

    class Meta:
        model = UploadFile
        fields = (
            "id", "reference", "name", "size", "extension", "mime_type", "created_by", "created_at", "preview_url",
            "source_url", "original_url", "user_id", "tenant_id", "conversation_id", "file_key",
        )  # fmt: skip
        read_only_fields = fields

    def get_created_by(self, row: UploadFile) -> str | None:
        maker = row.end_user_id or row.account_id
        return str(maker) if maker else None

    def get_source_url(self, row: UploadFile) -> str:
        return files.signed_url(row)

    def get_preview_url(self, row: UploadFile) -> str | None:
        return files.preview_url(row)

    def _nothing(self, row: UploadFile) -> str | None:
        return None

    get_reference = get_original_url = get_user_id = get_conversation_id = get_file_key = _nothing


class ConversationWindow(Shape):
    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = ConversationRecord(source="rows", many=True)  # type: ignore[assignment]


class MessageWindow(Shape):
    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = MessageRecord(source="rows", many=True)  # type: ignore[assignment]


class VariableRecord(Shape):
    id = serializers.UUIDField(source="variable_id")
    name = serializers.CharField()
    value_type = serializers.CharField()
    value = WrittenField(help_text="Text as it is, other values as JSON.")
    description = serializers.CharField(allow_blank=True)
    created_at = EpochField()
    updated_at = EpochField()


class VariableWindow(Shape):
    limit = serializers.IntegerField()
    has_more = serializers.BooleanField()
    data = VariableRecord(source="rows", many=True)  # type: ignore[assignment]


class QuestionsRecord(Shape):
    result = serializers.CharField()
    data = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]


class UsageRecord(Shape):
    prompt_tokens = serializers.IntegerField()
    prompt_unit_price = serializers.CharField()
    prompt_price_unit = serializers.CharField()
    prompt_price = serializers.CharField()
    completion_tokens = serializers.IntegerField()
    completion_unit_price = serializers.CharField()
    completion_price_unit = serializers.CharField()
    completion_price = serializers.CharField()
    total_tokens = serializers.IntegerField()
    total_price = serializers.CharField()
    currency = serializers.CharField()
    latency = serializers.FloatField()
    time_to_first_token = serializers.FloatField(allow_null=True)
    time_to_generate = serializers.FloatField(allow_null=True)


class ReplyMetadata(Shape):
    annotation_reply = serializers.DictField(allow_null=True)
    usage = UsageRecord()
    retriever_resources = serializers.ListField(child=serializers.DictField())


class CompletionReply(Shape):
    event = serializers.CharField()
    task_id = serializers.UUIDField()
    id = serializers.UUIDField()
    message_id = serializers.UUIDField()
    mode = serializers.CharField()
    answer = serializers.CharField()
    metadata = ReplyMetadata()
    created_at = serializers.IntegerField()


class ChatReply(CompletionReply):
    conversation_id = serializers.UUIDField()


class TranscriptRecord(Shape):
    text = serializers.CharField()


class AppInfoRecord(Shape):
    name = serializers.CharField()
    description = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    mode = serializers.CharField()
    author_name = serializers.CharField()


class AppMetaRecord(Shape):
    tool_icons = serializers.DictField()


class SiteRecord(Shape):
    title = serializers.CharField()
    chat_color_theme = serializers.CharField()
    chat_color_theme_inverted = serializers.BooleanField()
    icon_type = serializers.CharField()
    icon = serializers.CharField()
    icon_background = serializers.CharField()
    icon_url = serializers.CharField(allow_null=True, default=None)
    description = serializers.CharField()
    copyright = serializers.CharField()
    privacy_policy = serializers.CharField()
    input_placeholder = serializers.CharField()
    custom_disclaimer = serializers.CharField()
    default_language = serializers.CharField()
    show_workflow_steps = serializers.BooleanField()
    use_icon_as_answer_icon = serializers.BooleanField()
