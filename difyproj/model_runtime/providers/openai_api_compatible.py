"""Any server of the OpenAI wire: one whose URL the tenant gives, or one that a preset knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..base import CredentialField, ModelType
from ..presets import Preset
from ..wires.exchange import Endpoint
from ..wires.openai_provider import OpenAIWireProvider, based


class OpenAICompatibleProvider(OpenAIWireProvider):
    name = "openai_api_compatible"
    label = "OpenAI-API-compatible"
    model_types = frozenset(ModelType)
    credential_fields: ClassVar[Sequence[CredentialField]] = (
        CredentialField("endpoint_url", "API endpoint URL", "text-input", placeholder="https://example.com/v1"),
        CredentialField("api_key", "API Key", required=False),
        CredentialField("endpoint_model_name", "Model name at the endpoint", "text-input", required=False),
        CredentialField("mode", "Completion mode", "select", required=False, default="chat", options=("chat", "completion")),
        CredentialField("context_size", "Model context size", "text-input", required=False, default="4096"),
        CredentialField("max_tokens_to_sample", "Upper bound for max tokens", "text-input", required=False, default="4096"),
        CredentialField("vision_support", "Vision", "select", False, "no_support", options=("no_support", "support")),
        CredentialField(
            "function_calling_type", "Function calling", "select", False, "tool_call", options=("tool_call", "no_call")
        ),
    )
    accepts_custom_models = True
    key_field = "api_key"
    url_field = "endpoint_url"
    preset: ClassVar[Preset | None] = None

    def endpoint(self) -> Endpoint:
        key = self.credential.get(self.key_field, "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        versioned = self.preset is not None and self.preset.versioned
        base = based(self._base_url(), self.label, versioned=versioned)
        return Endpoint(self.http, self.label, base + "/{path}", headers, (key,) if key else ())

    def _base_url(self) -> str:
        given = self.credential.get(self.url_field, "")
        if given or self.preset is None:
            return given
        chosen = (urls.get(self.credential.get(name, ""), "") for name, urls in self.preset.choices.items())
        return next(filter(None, chosen), self.preset.base_url)


def bound(preset: Preset) -> type[OpenAICompatibleProvider]:
    """The provider class of a preset: the same code with the row's facts."""

    class PresetProvider(OpenAICompatibleProvider):
        name = preset.name
        label = preset.label
        model_types = preset.model_types
        credential_fields = preset.credential_fields
        key_field = preset.key_field
        url_field = preset.url_field
        dialect = preset.dialect
        validate_path = preset.validate_path
        validate_model = preset.validate_model

    PresetProvider.preset = preset
    return PresetProvider
