"""Google Gemini by the Gemini API: chat and embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from .. import model_facts
from ..base import CredentialField, Embeddings, LanguageModel, ModelType, Provider
from ..wires import gemini, openai_media
from ..wires.exchange import Endpoint
from ..wires.openai_provider import based

BASE_URL = "https://generativelanguage.googleapis.com"


class GeminiProvider(Provider):
    name = "gemini"
    label = "Gemini"
    wire = "gemini"
    model_types = frozenset({ModelType.LLM, ModelType.TEXT_EMBEDDING})
    credential_fields = (
        CredentialField("google_api_key", "API Key"),
        CredentialField("google_base_url", "Base URL", "text-input", required=False, placeholder=BASE_URL),
    )
    accepts_custom_models = True
    key_field = "google_api_key"
    url_field = "google_base_url"

    def endpoint(self, template: str = "/models/{model}:{path}") -> Endpoint:
        key = self.credential.get("google_api_key", "")
        base = based(self.credential.get("google_base_url") or BASE_URL, self.label, versioned=False)
        base = base if base.endswith(("/v1", "/v1beta")) else f"{base}/v1beta"
        return Endpoint(self.http, self.label, base + template, {"x-goog-api-key": key}, (key,))

    async def validate(self) -> None:
        await openai_media.check(self.endpoint("/{path}"), "models?pageSize=1")

    def llm(self) -> LanguageModel:
        return gemini.GeminiModel(self.endpoint(), self.name)

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        batch = model_facts.find(self.name, model, ModelType.TEXT_EMBEDDING).batch_size
        return await gemini.embed(self.endpoint(), model, texts, batch)
