"""The tenant's embedding models as datasets use them: which one, and its vectors as indexes keep them."""

from __future__ import annotations

import asyncio
import math
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID
from weakref import WeakKeyDictionary

from accounts.services import model_access
from accounts.services.model_access import ModelChoice
from datasets.models import Dataset, IndexingTechnique
from difyproj.infra.model_port import runtime
from difyproj.kernel.errors import ModelNotSupported
from difyproj.model_runtime import catalogue, model_facts, tokens
from difyproj.model_runtime.base import Credential, ModelType
from difyproj.model_runtime.errors import broken
from difyproj.model_runtime.providers import builtin

# Calls of one provider at the same time, in one process.
CALLS_AT_ONCE: Final = 4
# No provider takes more tokens in one call.
CALL_TOKENS: Final = 100_000

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Semaphore]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Embedded:
    """Little-endian float32 of length one, as stores keep them; ``tokens`` that the provider counted, or an estimate."""

    vectors: Sequence[bytes] = field(repr=False)
    tokens: int


@dataclass(frozen=True, slots=True)
class Embedder:
    """One embedding model of a tenant, ready to be called."""

    tenant_id: UUID
    provider: str
    model: str
    credentials: Sequence[Credential] = field(repr=False, default=())

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Raises what the runtime raises: ModelCallFailed, ProviderNotInitialize and their like."""
        turns = _turns.setdefault(asyncio.get_running_loop(), {})
        async with turns.setdefault(self.provider, asyncio.Semaphore(CALLS_AT_ONCE)):
            made = await runtime().embed(self.provider, self.credentials, self.model, texts)
        if len(made.vectors) != len(texts):
            raise broken(self.provider, f"{len(made.vectors)} vectors for {len(texts)} texts")
        counted = made.usage.prompt_tokens or sum(tokens.estimate(text, self.model) for text in texts)
        return Embedded([packed(vector) for vector in made.vectors], counted)

    def calls(self, texts: Sequence[str]) -> list[slice]:
        """Which of the texts go together in one call."""
        most = model_facts.find(self.provider, self.model, ModelType.TEXT_EMBEDDING).batch_size
        found: list[slice] = []
        start, room = 0, CALL_TOKENS
        for at, text in enumerate(texts):
            size = tokens.estimate(text, self.model)
            if at > start and (at - start >= most or size > room):
                found.append(slice(start, at))
                start, room = at, CALL_TOKENS
            room -= size
        return [*found, slice(start, len(texts))] if texts else found


def embedder(dataset: Dataset) -> Embedder | None:
    """The model of the index that answers; None where there are no vectors (economy).

    Raises ProviderNotInitialize and ModelNotSupported where it cannot be called.
    """
    serving = dataset.serving or built_by(dataset)
    return embedder_of(dataset.tenant_id, **serving)


def next_embedder(dataset: Dataset) -> Embedder | None:
    """The model of the index that is being built."""
    return embedder_of(dataset.tenant_id, **built_by(dataset))


def built_by(dataset: Dataset) -> dict[str, str]:
    """How the row says that the dataset is indexed."""
    technique = dataset.indexing_technique or IndexingTechnique.HIGH_QUALITY
    return {"technique": technique, "provider": dataset.embedding_model_provider, "model": dataset.embedding_model}


def embedder_of(tenant_id: UUID, technique: str, provider: str, model: str) -> Embedder | None:
    if technique == IndexingTechnique.ECONOMY:
        return None
    chosen = ModelChoice(provider, model) if model else default_embedding(tenant_id)
    credentials = model_access.credentials_for(
        tenant_id, chosen.provider, model=chosen.model, model_type=ModelType.TEXT_EMBEDDING
    )
    return Embedder(tenant_id, catalogue.resolve(chosen.provider), chosen.model, credentials)


def default_embedding(tenant_id: UUID) -> ModelChoice:
    """The workspace's default, or what is built in."""
    chosen = model_access.default_model(tenant_id, ModelType.TEXT_EMBEDDING)
    return chosen or ModelChoice(builtin.BuiltinProvider.name, builtin.best())


def callable_model(tenant_id: UUID, provider: str, model: str, model_type: ModelType) -> ModelChoice:
    """The model as the catalogue names it. Raises ProviderNotInitialize or ModelNotSupported where it cannot be called."""
    model_access.credentials_for(tenant_id, provider, model=model, model_type=model_type)
    own = catalogue.resolve(provider)
    kind = catalogue.provider_class(own)
    listed = (model_type, model) in model_facts.listed(own)
    if model_type not in kind.model_types or not (listed or kind.accepts_custom_models) or not kind.offers(model):
        raise ModelNotSupported(f"The provider {kind.label} has no {model_type} model {model}.")
    return ModelChoice(own, model)


def packed(vector: Sequence[float]) -> bytes:
    """As an index keeps it. Raises ModelCallFailed for numbers that are no direction."""
    length = math.sqrt(sum(number * number for number in vector))
    if not length or not math.isfinite(length):
        raise broken("The embedding model", "a vector without a length")
    made = array("f", vector if abs(length - 1) < 1e-6 else [number / length for number in vector])
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()
