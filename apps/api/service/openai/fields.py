"""What OpenAI's clients send; messages, inputs of embeddings and formats are looked at more closely where they are used."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from difyproj.tiers.fields import ObjectField

from ...requests import OptionalUserFields

OPTIONAL: dict[str, Any] = {"required": False, "allow_null": True}
LARGEST = 2**63 - 1


class ModelFields(OptionalUserFields):
    model = serializers.CharField(
        **OPTIONAL, allow_blank=True, max_length=255, help_text="Any name: the app behind the key answers, under its own."
    )


class ChatCompletionFields(ModelFields):
    messages = serializers.ListField(child=ObjectField(), min_length=1)
    stream = serializers.BooleanField(**OPTIONAL)
    stream_options = ObjectField(**OPTIONAL, help_text='`{"include_usage": true}`: the last chunk tells the usage.')
    inputs = ObjectField(**OPTIONAL, help_text="An addition: values of the app's own variables.")
    temperature = serializers.FloatField(**OPTIONAL)
    top_p = serializers.FloatField(**OPTIONAL)
    presence_penalty = serializers.FloatField(**OPTIONAL)
    frequency_penalty = serializers.FloatField(**OPTIONAL)
    max_tokens = serializers.IntegerField(**OPTIONAL, min_value=1, max_value=LARGEST)
    max_completion_tokens = serializers.IntegerField(**OPTIONAL, min_value=1, max_value=LARGEST)
    seed = serializers.IntegerField(**OPTIONAL, min_value=-LARGEST, max_value=LARGEST)
    stop = serializers.JSONField(**OPTIONAL, help_text="A text, or up to four.")
    response_format = ObjectField(**OPTIONAL)
    reasoning_effort = serializers.CharField(**OPTIONAL, max_length=32)
    verbosity = serializers.CharField(**OPTIONAL, max_length=32)
    n = serializers.IntegerField(**OPTIONAL, help_text="1.")
    tools = serializers.JSONField(**OPTIONAL, help_text="Refused for now.")
    functions = serializers.JSONField(**OPTIONAL, help_text="Refused for now.")
    logprobs = serializers.JSONField(**OPTIONAL, help_text="Refused.")
    logit_bias = serializers.JSONField(**OPTIONAL, help_text="Refused.")
    modalities = serializers.JSONField(**OPTIONAL, help_text='`["text"]`.')


class EmbeddingFields(ModelFields):
    input = serializers.JSONField(help_text="A text, a list of texts, a list of tokens, or a list of such lists.")
    encoding_format = serializers.ChoiceField(**OPTIONAL, choices=["float", "base64"])
    dimensions = serializers.IntegerField(**OPTIONAL, min_value=1, max_value=65_536)
