"""The streams of visitors, described: their end tells citations only."""

from __future__ import annotations

from drf_spectacular.utils import PolymorphicProxySerializer

from .. import stream_records
from .records import ReplyMetadata


class ChatEnd(stream_records.ChatEnd):
    metadata = ReplyMetadata()


class CompletionEnd(stream_records.CompletionEnd):
    metadata = ReplyMetadata()


CHAT_STREAM = PolymorphicProxySerializer(
    component_name="ChatStreamRecord",
    resource_type_field_name="event",
    many=False,
    serializers={**stream_records.CHAT_STREAM.serializers, "message_end": ChatEnd},
)
COMPLETION_STREAM = PolymorphicProxySerializer(
    component_name="CompletionStreamRecord",
    resource_type_field_name="event",
    many=False,
    serializers={**stream_records.COMPLETION_STREAM.serializers, "message_end": CompletionEnd},
)
