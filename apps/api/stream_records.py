"""What the ``data:`` lines of a stream hold, described; apps.generation makes them."""

from __future__ import annotations

from collections.abc import Mapping

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from . import flow_records
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


class WorkflowEvent(Shape):
    event = serializers.CharField()
    task_id = serializers.UUIDField()
    workflow_run_id = serializers.UUIDField()


class WorkflowSpeech(WorkflowEvent, SpeechFields):
    created_at = serializers.IntegerField()


class WorkflowError(WorkflowEvent):
    """Ends the stream. The only record without ``task_id``."""

    task_id = None  # type: ignore[assignment]
    status = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()


class WorkflowStage(WorkflowEvent):
    """Only with ``stage_events``; the event is the stage."""


class ChatflowEvent(ChatEvent):
    workflow_run_id = serializers.UUIDField()


def around(base: type[Shape], prefix: str, data: Mapping[str, type[Shape]]) -> dict[str, type[Shape]]:
    """For each event a record: ``base`` with its ``data``."""
    named = {event: "".join(part.title() for part in event.split("_")) for event in data}
    return {event: type(f"{prefix}{named[event]}", (base,), {"data": shape()}) for event, shape in data.items()}


IN_CHATS = around(ChatflowEvent, "Chatflow", {**flow_records.GRAPH, "reasoning_chunk": flow_records.ChatReasoningData})
IN_WORKFLOWS = around(
    WorkflowEvent,
    "Workflow",
    {
        **flow_records.GRAPH,
        "text_chunk": flow_records.TextData,
        "text_replace": flow_records.WholeTextData,
        "reasoning_chunk": flow_records.ReasoningData,
    },
)
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
        **IN_CHATS,
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
WORKFLOW_STREAM = PolymorphicProxySerializer(
    component_name="WorkflowStreamRecord",
    resource_type_field_name="event",
    many=False,
    serializers={
        **IN_WORKFLOWS,
        "tts_message": WorkflowSpeech,
        "tts_message_end": WorkflowSpeech,
        "error": WorkflowError,
        **dict.fromkeys(STAGES, WorkflowStage),
    },
)
