"""What visitors send: the shared bodies without ``user``, because the passport says who asks."""

from __future__ import annotations

from rest_framework import serializers

from difyproj.tiers.fields import CursorField, LimitField

from .. import requests
from ..requests import Fields


class PassportFields(Fields):
    user_id = serializers.CharField(required=False, allow_blank=True, default="", max_length=255)


class ChatFields(requests.ChatFields):
    """Pages ask for the name of a conversation themselves."""

    user = None  # type: ignore[assignment]
    auto_generate_name = serializers.BooleanField(required=False, default=False)


class CompletionFields(requests.CompletionFields):
    user = None  # type: ignore[assignment]


class WorkflowFields(requests.GenerateFields):
    user = None  # type: ignore[assignment]


def body_of(mode: str) -> type[requests.GenerateFields]:
    """What visitors send to an app of this mode."""
    return {"completion": CompletionFields, "workflow": WorkflowFields}.get(mode, ChatFields)


class AttachFields(requests.AttachFields):
    user = None  # type: ignore[assignment]


class ConversationListFields(requests.ConversationListFields):
    user = None  # type: ignore[assignment]
    pinned = serializers.BooleanField(required=False, allow_null=True, default=None)


class RenameFields(requests.RenameFields):
    user = None  # type: ignore[assignment]


class MessageListFields(requests.MessageListFields):
    user = None  # type: ignore[assignment]


class FeedbackFields(requests.FeedbackFields):
    user = None  # type: ignore[assignment]


class AgainFields(Fields):
    response_mode = serializers.ChoiceField(choices=["blocking", "streaming"])


class SavedListFields(Fields):
    last_id = CursorField()
    limit = LimitField()


class SaveFields(Fields):
    message_id = serializers.CharField(max_length=64)


class SpeechFields(requests.SpeechFields):
    user = None  # type: ignore[assignment]


class AfterFields(requests.AfterFields):
    user = None  # type: ignore[assignment]


class UploadFields(Fields):
    source = serializers.ChoiceField(choices=["datasets"], required=False, allow_blank=True, allow_null=True)  # type: ignore[assignment]
