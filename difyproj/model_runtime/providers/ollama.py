"""Ollama by its native API: chat, completion and embeddings on the tenant's own server."""

from __future__ import annotations

from collections.abc import Sequence

from .. import model_facts
from ..base import CredentialField, Embeddings, LanguageModel, ModelType, Provider
from ..wires import ollama, openai_media
from ..wires.exchange import Endpoint
from ..wires.openai_provider import based


class OllamaProvider(Provider):
    name = "ollama"
    label = "Ollama"
    wire = "ollama"
    model_types = frozenset({ModelType.LLM, ModelType.TEXT_EMBEDDING})
    credential_fields = (
        CredentialField("base_url", "Base URL", "text-input", placeholder="http://192.168.1.100:11434"),
        CredentialField("api_key", "API Key", required=False),
        CredentialField("mode", "Completion mode", "select", required=False, default="chat", options=("chat", "completion")),
        CredentialField("context_size", "Model context size", "text-input", required=False, default="4096"),
        CredentialField("max_tokens", "Upper bound for max tokens", "text-input", required=False, default="4096"),
        CredentialField("vision_support", "Vision", "select", False, "false", options=("true", "false")),
        CredentialField("function_call_support", "Function calling", "select", False, "false", options=("true", "false")),
    )
    accepts_custom_models = True
    key_field = "api_key"
    url_field = "base_url"

    def endpoint(self) -> Endpoint:
        key = self.credential.get("api_key", "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        base = based(self.credential.get("base_url", ""), self.label, versioned=False).removesuffix("/api")
        return Endpoint(self.http, self.label, base + "/api/{path}", headers, (key,) if key else ())

    async def validate(self) -> None:
        await openai_media.check(self.endpoint(), "tags")

    def llm(self) -> LanguageModel:
        size = self.credential.get("context_size", "")
        return ollama.OllamaModel(self.endpoint(), int(size) if size.isdecimal() else 0)

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        batch = model_facts.find(self.name, model, ModelType.TEXT_EMBEDDING).batch_size
        return await ollama.embed(self.endpoint(), model, texts, batch)
