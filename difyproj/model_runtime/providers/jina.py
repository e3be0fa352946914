"""Jina AI: embeddings and rerank."""

from __future__ import annotations

from collections.abc import Sequence

from .. import model_facts
from ..base import CredentialField, Embeddings, ModelType, Provider, Ranked
from ..wires import openai_media, reranking
from ..wires.exchange import Endpoint
from ..wires.openai_provider import based

BASE_URL = "https://api.jina.ai/v1"
CHECKED_MODEL = "jina-embeddings-v3"


class JinaProvider(Provider):
    name = "jina"
    label = "Jina AI"
    wire = "jina"
    model_types = frozenset({ModelType.TEXT_EMBEDDING, ModelType.RERANK})
    credential_fields = (
        CredentialField("api_key", "API Key", placeholder="jina_..."),
        CredentialField("base_url", "Base URL", "text-input", required=False, placeholder=BASE_URL),
    )
    accepts_custom_models = True
    key_field = "api_key"
    url_field = "base_url"

    def endpoint(self) -> Endpoint:
        key = self.credential.get("api_key", "")
        base = based(self.credential.get("base_url") or BASE_URL, self.label, versioned=True)
        return Endpoint(self.http, self.label, base + "/{path}", {"Authorization": f"Bearer {key}"}, (key,))

    async def validate(self) -> None:
        """The API lists nothing that needs a key, so one word is embedded."""
        await self.embed(CHECKED_MODEL, ["ping"])

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        batch = model_facts.find(self.name, model, ModelType.TEXT_EMBEDDING).batch_size
        return await openai_media.embed(self.endpoint(), model, texts, batch)

    async def rerank(self, model: str, query: str, documents: Sequence[str], *, top_n: int | None = None) -> Sequence[Ranked]:
        return await reranking.rerank(self.endpoint(), model, query, documents, top_n)
