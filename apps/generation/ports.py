"""The ports of a run, bound to its tenant: model calls with the tenant's credentials, files of the request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from accounts.services import model_access
from difyproj.infra import db
from difyproj.infra.model_port import runtime
from difyproj.infra.storage import get_storage
from difyproj.kernel import structs
from difyproj.kernel.errors import ProviderNotInitialize
from difyproj.model_runtime import catalogue, tokens
from difyproj.model_runtime.base import Credential, ModelRequest, ModelType
from difyproj.model_runtime.messages import AudioPart, Delta, DocumentPart, ImagePart, Part, TokenUsage
from difyproj.model_runtime.usage import price
from workflows.engine.events import Usage


class TenantModels:
    """Models of one tenant. ``known`` holds credentials that were looked up before the run began."""

    def __init__(self, tenant_id: UUID, known: Mapping[str, Sequence[Credential]] | None = None) -> None:
        self._tenant_id = tenant_id
        self._known = dict(known or {})

    def stream(self, provider: str, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        known = self._known.get(provider)
        return self._look_up_and_stream(provider, request) if known is None else runtime().stream(provider, known, request)

    async def _look_up_and_stream(self, provider: str, request: ModelRequest) -> AsyncGenerator[Delta | TokenUsage, None]:
        credentials = await self._credentials(provider, request.model, ModelType.LLM)
        async with aclosing(runtime().stream(provider, credentials, request)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                yield piece

    def context_size(self, provider: str, model: str) -> int:
        return catalogue.facts(provider, model, credential=self._told(provider)).context_size

    def features(self, provider: str, model: str) -> frozenset[str]:
        return catalogue.facts(provider, model, credential=self._told(provider)).features

    def count_tokens(self, provider: str, model: str, text: str) -> int:
        return tokens.estimate(text, model)

    async def exact_tokens(self, provider: str, model: str, text: str) -> int:
        return await tokens.exact(text, model)

    def price(self, provider: str, model: str, tokens: TokenUsage) -> Usage:
        facts = catalogue.facts(provider, model, credential=self._told(provider))
        return structs.convert(price(tokens, facts), Usage, from_attributes=True)

    async def moderate(self, text: str) -> bool:
        chosen = await db.run(model_access.default_model, self._tenant_id, ModelType.MODERATION)
        if chosen is None:
            raise ProviderNotInitialize("The workspace has no default moderation model.")
        credentials = await self._credentials(chosen.provider, chosen.model, ModelType.MODERATION)
        return await runtime().moderate(chosen.provider, credentials, chosen.model, text)

    async def speak(self, text: str, *, voice: str = "") -> AsyncGenerator[bytes, None]:
        chosen = await db.run(model_access.default_model, self._tenant_id, ModelType.TTS)
        if chosen is None:
            raise ProviderNotInitialize("The workspace has no default speech model.")
        credentials = await self._credentials(chosen.provider, chosen.model, ModelType.TTS)
        pieces = runtime().speak(chosen.provider, credentials, chosen.model, text, voice=voice)
        async with aclosing(pieces):  # type: ignore[type-var]
            async for piece in pieces:
                yield piece

    async def _credentials(self, provider: str, model: str, model_type: ModelType) -> Sequence[Credential]:
        known = self._known.get(provider) if model_type is ModelType.LLM else None
        if known is not None:
            return known
        return await db.run(model_access.credentials_for, self._tenant_id, provider, model=model, model_type=model_type)

    def _told(self, provider: str) -> Mapping[str, str] | None:
        known = self._known.get(provider)
        return known[0].values if known else None


@dataclass(frozen=True, slots=True)
class RequestFile:
    """A file of the request: ``key`` in the storage, or the ``url`` that the caller gave."""

    type: str
    mime_type: str = ""
    name: str = ""
    key: str = ""
    url: str = ""


class RequestFiles:
    """The files of one request, by the ids that the run's variables carry."""

    def __init__(self, files: Mapping[str, RequestFile]) -> None:
        self._files = files

    async def part(self, file_id: str, *, detail: str = "auto") -> Part | None:
        file = self._files.get(file_id)
        if file is None:
            return None
        if file.url:
            return ImagePart(url=file.url, detail=detail) if file.type == "image" else None
        data = await asyncio.to_thread(get_storage().read, file.key)
        if file.type == "image":
            return ImagePart(data=data, mime_type=file.mime_type, detail=detail)
        if file.type == "audio":
            return AudioPart(data=data, mime_type=file.mime_type)
        if file.type == "document" and file.mime_type == "application/pdf":
            return DocumentPart(data=data, mime_type=file.mime_type, filename=file.name)
        return None
