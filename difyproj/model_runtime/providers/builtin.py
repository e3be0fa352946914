"""Models of this process: embeddings without a key and without a service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from difyproj.kernel.errors import ModelNotSupported

from ..base import Embeddings, ModelType, Provider
from ..local import hashing
from ..messages import TokenUsage
from ..tokens import estimate

HASHING = "hashing-384"
AT_ONCE = 16


class BuiltinProvider(Provider):
    name = "builtin"
    label = "Built in"
    model_types = frozenset({ModelType.TEXT_EMBEDDING})

    async def validate(self) -> None:
        """Nothing to prove: there is no credential."""

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """In a thread, a few texts at a time, so that neither the loop nor another thread waits long."""
        if model != HASHING:
            raise ModelNotSupported(f"The provider {self.label} has no model {model}.")
        vectors: list[Sequence[float]] = []
        for start in range(0, len(texts), AT_ONCE):
            vectors += await asyncio.to_thread(_hashed, texts[start : start + AT_ONCE])
        return Embeddings(vectors, TokenUsage(prompt_tokens=sum(estimate(text) for text in texts)))


def _hashed(texts: Sequence[str]) -> list[Sequence[float]]:
    return [hashing.vector(text) for text in texts]
