"""What callers send: one serializer per body or query, tolerant of fields it does not know."""

from __future__ import annotations

from rest_framework import serializers

from apps.services import conversations
from difyproj.tiers.fields import CursorField, LimitField, ObjectField, OptionalUserField, QueryField, UserField
from difyproj.tiers.given_files import FilesField
from difyproj.tiers.shapes import Fields as Fields


class GenerateFields(Fields):
    inputs = ObjectField()
    response_mode = serializers.ChoiceField(choices=["blocking", "streaming"], required=False, allow_null=True)
    user = UserField()
    files = FilesField()
    trace_id = serializers.JSONField(required=False, allow_null=True, help_text="Ignored unless 1 to 128 of A-Z a-z 0-9 _ -.")
    stage_events = serializers.BooleanField(
        required=False, default=False, help_text="Also send the stages of the generation as events (not sent by default)."
    )


class ChatFields(GenerateFields):
    query = QueryField()
    conversation_id = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    parent_message_id = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    auto_generate_name = serializers.BooleanField(required=False, default=True)
    workflow_id = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    retriever_from = serializers.CharField(required=False, allow_blank=True, allow_null=True)


class CompletionFields(GenerateFields):
    query = QueryField(required=False, default="", allow_null=True)
    retriever_from = serializers.CharField(required=False, allow_blank=True, allow_null=True)


class UnattendedFields(Fields):
    """Of graphs. ``async`` is an addition of this server: the answer says at once where the run can be seen."""

    response_mode = serializers.ChoiceField(choices=["blocking", "streaming", "async"], required=False, allow_null=True)
    callback_url = serializers.RegexField(
        r"^https?://\S+$", required=False, allow_null=True, max_length=2048,
        help_text="An addition: this address is told by a signed POST when the run has ended (docs/triggers.md).",
    )  # fmt: skip


class WorkflowFields(UnattendedFields, GenerateFields):
    """``async`` is an addition of this server: the answer says at once where the run can be seen."""


class ServiceChatFields(UnattendedFields, ChatFields):
    """``response_mode`` async and ``callback_url`` are additions of this server, for apps with a graph of their own."""


def body_of(mode: str) -> type[GenerateFields]:
    """What is sent to an app of this mode."""
    return {"completion": CompletionFields, "workflow": WorkflowFields}.get(mode, ChatFields)


class VersionFields(Fields):
    version = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=64, help_text="An addition: `published` or a version's id."
    )


class AttachFields(Fields):
    user = UserField()
    include_state_snapshot = serializers.BooleanField(required=False, default=False)
    continue_on_pause = serializers.BooleanField(required=False, default=False)


class UserFields(Fields):
    user = UserField()


class OptionalUserFields(Fields):
    user = OptionalUserField()


class ConversationListFields(OptionalUserFields):
    last_id = CursorField()
    limit = LimitField()
    sort_by = serializers.ChoiceField(choices=conversations.SORTS, required=False, default="-updated_at")


class MessageListFields(OptionalUserFields):
    conversation_id = serializers.UUIDField()
    first_id = CursorField()
    limit = LimitField()


class VariableListFields(OptionalUserFields):
    last_id = CursorField()
    limit = LimitField()
    variable_name = serializers.CharField(required=False, min_length=1, max_length=255)


class VariableFields(OptionalUserFields):
    value = serializers.JSONField(allow_null=True)


class RenameFields(OptionalUserFields):
    name = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=conversations.MAX_NAME_LENGTH)
    auto_generate = serializers.BooleanField(required=False, default=False)


class FeedbackFields(Fields):
    rating = serializers.ChoiceField(choices=["like", "dislike"], required=False, allow_null=True, default=None)
    user = UserField()
    content = serializers.CharField(required=False, allow_blank=True, allow_null=True, default=None)


class FeedbackListFields(Fields):
    page = serializers.IntegerField(required=False, default=1, min_value=1, max_value=99_999)
    limit = LimitField(max_value=101)


class FilePreviewFields(OptionalUserFields):
    as_attachment = serializers.BooleanField(required=False, default=False)


class SpeechFields(OptionalUserFields):
    message_id = serializers.CharField(required=False, allow_blank=True, allow_null=True)
    text = serializers.CharField(required=False, allow_blank=True, allow_null=True, trim_whitespace=False, max_length=10_000)
    voice = serializers.CharField(required=False, allow_blank=True, allow_null=True, max_length=255)
    streaming = serializers.BooleanField(required=False, allow_null=True)


class AfterFields(OptionalUserFields):
    after = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**62)
