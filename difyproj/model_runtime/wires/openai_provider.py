"""A provider that speaks the OpenAI wire; subclasses say where it is, how it is opened and how it differs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import ClassVar
from urllib.parse import urlsplit

from difyproj.kernel.errors import ModelNotSupported, ProviderNotInitialize

from .. import model_facts
from ..base import Embeddings, LanguageModel, ModelRequest, ModelType, Provider, Ranked
from ..messages import PromptMessage, Role
from ..streams import closing
from . import openai_media, reranking
from .exchange import Endpoint
from .openai_body import Dialect
from .openai_chat import OpenAIChat


class OpenAIWireProvider(Provider):
    wire = "openai"
    dialect: ClassVar[Dialect] = Dialect()
    validate_path: ClassVar[str] = "models"
    validate_model: ClassVar[str] = ""

    @abstractmethod
    def endpoint(self) -> Endpoint: ...

    async def validate(self) -> None:
        """Lists the models or, where the server has no such list, asks the checking model for one token."""
        try:
            await openai_media.check(self.endpoint(), self.validate_path)
        except ModelNotSupported:
            model = self.credential.get("endpoint_model_name") or self.validate_model
            if model:
                await self._one_token(model)

    def llm(self) -> LanguageModel:
        return OpenAIChat(self.endpoint(), self.name, self.dialect)

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        self._must_have(ModelType.TEXT_EMBEDDING)
        batch = model_facts.find(self.name, model, ModelType.TEXT_EMBEDDING).batch_size
        return await openai_media.embed(self.endpoint(), model, texts, batch)

    async def rerank(self, model: str, query: str, documents: Sequence[str], *, top_n: int | None = None) -> Sequence[Ranked]:
        self._must_have(ModelType.RERANK)
        return await reranking.rerank(self.endpoint(), model, query, documents, top_n)

    async def transcribe(self, model: str, audio: bytes, *, filename: str, mime_type: str) -> str:
        self._must_have(ModelType.SPEECH2TEXT)
        return await openai_media.transcribe(self.endpoint(), model, audio, filename, mime_type)

    def speak(self, model: str, text: str, *, voice: str = "") -> AsyncIterator[bytes]:
        self._must_have(ModelType.TTS)
        voices = model_facts.find(self.name, model, ModelType.TTS).voices
        chosen = voice or (voices[0].value if voices else "alloy")
        return openai_media.speak(self.endpoint(), model, text, chosen)

    async def moderate(self, model: str, text: str) -> bool:
        self._must_have(ModelType.MODERATION)
        return await openai_media.moderate(self.endpoint(), model, text)

    def _must_have(self, model_type: ModelType) -> None:
        if model_type not in self.model_types:
            raise self._refusal(model_type)

    async def _one_token(self, model: str) -> None:
        hello = PromptMessage(Role.USER, "ping")
        request = ModelRequest(model, [hello], {"max_tokens": 1}, timeout=30, first_token_timeout=30)
        async with closing(self.llm().stream(request)) as items:
            async for _ in items:
                return


def based(url: str, label: str, *, versioned: bool) -> str:
    """A base URL as people write it, ready for paths: no trailing slash, ``/v1`` added to a bare host when ``versioned``."""
    base = url.strip().rstrip("/")
    for ending in ("/chat/completions", "/completions", "/embeddings"):
        base = base.removesuffix(ending)
    if urlsplit(base).scheme not in ("http", "https"):
        raise ProviderNotInitialize(f"The base URL of {label} must begin with http:// or https://.")
    return f"{base}/v1" if versioned and urlsplit(base).path == "" else base
