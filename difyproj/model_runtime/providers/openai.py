"""OpenAI: chat, embeddings, speech both ways and moderation."""

from __future__ import annotations

from ..base import CredentialField, ModelType
from ..wires.exchange import Endpoint
from ..wires.openai_body import Dialect
from ..wires.openai_provider import OpenAIWireProvider, based

BASE_URL = "https://api.openai.com/v1"


class OpenAIProvider(OpenAIWireProvider):
    name = "openai"
    label = "OpenAI"
    model_types = frozenset(ModelType) - {ModelType.RERANK}
    credential_fields = (
        CredentialField("openai_api_key", "API Key", placeholder="sk-..."),
        CredentialField("openai_organization", "Organization", "text-input", required=False),
        CredentialField("openai_api_base", "API Base", "text-input", required=False, placeholder=BASE_URL),
    )
    accepts_custom_models = True
    key_field = "openai_api_key"
    url_field = "openai_api_base"
    dialect = Dialect(max_tokens="max_completion_tokens", user=True)

    def endpoint(self) -> Endpoint:
        key = self.credential.get("openai_api_key", "")
        headers = {"Authorization": f"Bearer {key}"}
        if organization := self.credential.get("openai_organization"):
            headers["OpenAI-Organization"] = organization
        base = based(self.credential.get("openai_api_base") or BASE_URL, self.label, versioned=True)
        return Endpoint(self.http, self.label, base + "/{path}", headers, (key,))
