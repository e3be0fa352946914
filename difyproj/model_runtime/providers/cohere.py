"""Cohere: chat, embeddings and rerank by its v2 API."""

from __future__ import annotations

from collections.abc import Sequence

from .. import model_facts
from ..base import CredentialField, Embeddings, LanguageModel, ModelType, Provider, Ranked
from ..wires import cohere, openai_media, reranking
from ..wires.exchange import Endpoint
from ..wires.openai_provider import based

BASE_URL = "https://api.cohere.com"


class CohereProvider(Provider):
    name = "cohere"
    label = "Cohere"
    wire = "cohere"
    model_types = frozenset({ModelType.LLM, ModelType.TEXT_EMBEDDING, ModelType.RERANK})
    credential_fields = (
        CredentialField("api_key", "API Key"),
        CredentialField("base_url", "API Base", "text-input", required=False, placeholder=BASE_URL),
    )
    accepts_custom_models = True
    key_field = "api_key"
    url_field = "base_url"

    def endpoint(self, version: str = "v2") -> Endpoint:
        key = self.credential.get("api_key", "")
        base = based(self.credential.get("base_url") or BASE_URL, self.label, versioned=False)
        base = base.removesuffix("/v1").removesuffix("/v2")
        return Endpoint(self.http, self.label, f"{base}/{version}/{{path}}", {"Authorization": f"Bearer {key}"}, (key,))

    async def validate(self) -> None:
        await openai_media.check(self.endpoint("v1"), "models")

    def llm(self) -> LanguageModel:
        return cohere.CohereChat(self.endpoint())

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        batch = model_facts.find(self.name, model, ModelType.TEXT_EMBEDDING).batch_size
        return await cohere.embed(self.endpoint(), model, texts, batch)

    async def rerank(self, model: str, query: str, documents: Sequence[str], *, top_n: int | None = None) -> Sequence[Ranked]:
        return await reranking.rerank(self.endpoint(), model, query, documents, top_n)
