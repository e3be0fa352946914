"""Anthropic: Claude by the Messages API."""

from __future__ import annotations

from ..base import CredentialField, LanguageModel, ModelType, Provider
from ..wires import openai_media
from ..wires.anthropic import AnthropicMessages
from ..wires.exchange import Endpoint
from ..wires.openai_provider import based

BASE_URL = "https://api.anthropic.com"
API_VERSION = "2023-06-01"


class AnthropicProvider(Provider):
    name = "anthropic"
    label = "Anthropic"
    wire = "anthropic"
    model_types = frozenset({ModelType.LLM})
    credential_fields = (
        CredentialField("anthropic_api_key", "API Key", placeholder="sk-ant-..."),
        CredentialField("anthropic_api_url", "API URL", "text-input", required=False, placeholder=BASE_URL),
    )
    accepts_custom_models = True
    key_field = "anthropic_api_key"
    url_field = "anthropic_api_url"

    def endpoint(self) -> Endpoint:
        key = self.credential.get("anthropic_api_key", "")
        base = based(self.credential.get("anthropic_api_url") or BASE_URL, self.label, versioned=True)
        headers = {"x-api-key": key, "anthropic-version": API_VERSION}
        return Endpoint(self.http, self.label, base + "/{path}", headers, (key,))

    async def validate(self) -> None:
        await openai_media.check(self.endpoint(), "models")

    def llm(self) -> LanguageModel:
        return AnthropicMessages(self.endpoint(), self.name)
