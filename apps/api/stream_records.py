"""What the ``data:`` lines of a stream hold, described; apps.generation makes them."""

from __future__ import annotations

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from .records import ReplyMetadata, Shape


class CompletionEvent(Shape):
    event = serializers.CharField()
    task_id = serializers.UUIDField()
    message_id = serializers.UUIDField()
    created_at = serializers.IntegerField(help_text="The moment of the question, in epoch seconds.")


class ChatEvent(CompletionEvent):
    conversation_id = serializers.UUIDField()


class TextFields(Shape):
    id = serializers.UUIDField(help_text="The message's id.")
    answer = serializers.CharField(help_text="The next piece of the answer.")
    from_variable_selector = serializers.ListField(child=serializers.CharField(), allow_null=True)


class ReplaceFields(Shape):
    answer = serializers.CharField(help_text="The whole answer up to here.")
    reason = serializers.CharField()


class FileFields(Shape):
    id = serializers.UUIDField()
    type = serializers.CharField()
    belongs_to = serializers.ChoiceField(choices=["user", "assistant"])
    url = serializers.CharField()


class EndFields(Shape):
    id = serializers.UUIDField(help_text="The message's id.")
    metadata = ReplyMetadata()
    files = serializers.ListField(child=serializers.DictField(), allow_null=True)


class SpeechFields(Shape):
    audio = serializers.CharField(help_text="Base64; empty at the end.")


class ErrorFields(Shape):
    """Ends the stream. The only record without ``task_id``."""

    event = serializers.CharField()
    message_id = serializers.UUIDField()
    created_at = serializers.IntegerField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()


class ChatText(ChatEvent, TextFields): ...


class ChatReplace(ChatEvent, ReplaceFields): ...


class ChatFile(ChatEvent, FileFields): ...


class ChatEnd(ChatEvent, EndFields): ...


class ChatSpeech(ChatEvent, SpeechFields): ...


class ChatError(ErrorFields):
    conversation_id = serializers.UUIDField()


class CompletionText(CompletionEvent, TextFields): ...


class CompletionReplace(CompletionEvent, ReplaceFields): ...


class CompletionFile(CompletionEvent, FileFields): ...


class CompletionEnd(CompletionEvent, EndFields): ...


class CompletionSpeech(CompletionEvent, SpeechFields): ...


class ChatStage(ChatEvent):
    """Only with ``stage_events``; the event is the stage."""


class CompletionStage(CompletionEvent):
    """Only with ``stage_events``; the event is the stage."""


STAGES = (
    "pre_process_started",
    "pre_process_completed",
    "main_process_started",
    "main_process_completed",
    "post_process_started",
    "post_process_completed",
    "completion",
)
CHAT_STREAM = PolymorphicProxySerializer(
    component_name="ChatStreamRecord",
    resource_type_field_name="event",
    many=False,
    serializers={
        "message": ChatText,
        "message_replace": ChatReplace,
        "message_file": ChatFile,
        "message_end": ChatEnd,
        "tts_message": ChatSpeech,
        "tts_message_end": ChatSpeech,
        "error": ChatError,
        **dict.fromkeys(STAGES, ChatStage),
    },
)
COMPLETION_STREAM = PolymorphicProxySerializer(
    component_name="CompletionStreamRecord",
    resource_type_field_name="event",
    many=False,
    serializers={
        "message": CompletionText,
        "message_replace": CompletionReplace,
        "message_file": CompletionFile,
        "message_end": CompletionEnd,
        "tts_message": CompletionSpeech,
        "tts_message_end": CompletionSpeech,
        "error": ErrorFields,
        **dict.fromkeys(STAGES, CompletionStage),
    },
)
