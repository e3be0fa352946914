"""Answers of the OpenAI-compatible routes, described; chat completions and their chunks are made in apps.generation."""

from __future__ import annotations

from rest_framework import serializers

from ...records import Shape

FINISH_REASONS = ["stop", "length", "content_filter"]


class ModelRecord(Shape):
    id = serializers.CharField()
    object = serializers.CharField()
    created = serializers.IntegerField()
    owned_by = serializers.CharField()


class ModelList(Shape):
    object = serializers.CharField()
    data = ModelRecord(many=True)  # type: ignore[assignment]


class CompletionUsage(Shape):
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class CompletionMessage(Shape):
    role = serializers.CharField()
    content = serializers.CharField()
    refusal = serializers.CharField(allow_null=True)
    annotations = serializers.ListField(child=serializers.DictField())


class CompletionChoice(Shape):
    index = serializers.IntegerField()
    message = CompletionMessage()
    logprobs = serializers.DictField(allow_null=True)
    finish_reason = serializers.ChoiceField(choices=FINISH_REASONS)


class ChatCompletion(Shape):
    id = serializers.CharField(help_text="`chatcmpl-` and the message's id.")
    object = serializers.CharField()
    created = serializers.IntegerField()
    model = serializers.CharField(help_text="The app's name as a slug.")
    system_fingerprint = serializers.CharField(help_text="Another one when the app was changed.")
    choices = CompletionChoice(many=True)
    usage = CompletionUsage()


class ChunkDelta(Shape):
    role = serializers.CharField(required=False)
    content = serializers.CharField(required=False)
    refusal = serializers.CharField(required=False, help_text="The app withdrew its answer; this stands instead.")


class ChunkChoice(Shape):
    index = serializers.IntegerField()
    delta = ChunkDelta()
    logprobs = serializers.DictField(allow_null=True)
    finish_reason = serializers.ChoiceField(choices=FINISH_REASONS, allow_null=True)


class ChatCompletionChunk(Shape):
    id = serializers.CharField()
    object = serializers.CharField()
    created = serializers.IntegerField()
    model = serializers.CharField()
    system_fingerprint = serializers.CharField()
    choices = ChunkChoice(many=True)
    usage = CompletionUsage(required=False, allow_null=True)


class Embedding(Shape):
    object = serializers.CharField()
    index = serializers.IntegerField()
    embedding = serializers.JSONField(help_text="Numbers, or base64 of 32-bit floats (little-endian).")


class EmbeddingUsage(Shape):
    prompt_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()


class EmbeddingList(Shape):
    object = serializers.CharField()
    model = serializers.CharField()
    data = Embedding(many=True)  # type: ignore[assignment]
    usage = EmbeddingUsage()
