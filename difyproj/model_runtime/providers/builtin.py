"""Models of this process: embeddings without a key and without a service.

One is always there; the other once script/install-embeddings has brought it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from difyproj.kernel.errors import ModelNotSupported

from ..base import Embeddings, ModelType, Provider
from ..local import hashing, minilm
from ..messages import TokenUsage
from ..tokens import estimate

HASHING = "hashing-384"
MINILM = "all-minilm-l6-v2"
AT_ONCE = 16


def best() -> str:
    """The better one of those that are there."""
    return MINILM if minilm.is_installed() else HASHING


class BuiltinProvider(Provider):
    name = "builtin"
    label = "Built in"
    model_types = frozenset({ModelType.TEXT_EMBEDDING})

    async def validate(self) -> None:
        """Nothing to prove: there is no credential."""

    @classmethod
    def offers(cls, model: str) -> bool:
        return model == HASHING or (model == MINILM and minilm.is_installed())

    async def embed(self, model: str, texts: Sequence[str]) -> Embeddings:
        """In a thread, a few texts at a time, so that neither the loop nor another thread waits long."""
        if not self.offers(model):
            raise ModelNotSupported(f"The provider {self.label} has no model {model} on this instance.")
        made = minilm.vectors if model == MINILM else _hashed
        vectors: list[Sequence[float]] = []
        for start in range(0, len(texts), AT_ONCE):
            vectors += await asyncio.to_thread(made, texts[start : start + AT_ONCE])
        return Embeddings(vectors, TokenUsage(prompt_tokens=sum(estimate(text) for text in texts)))


def _hashed(texts: Sequence[str]) -> list[Sequence[float]]:
    return [hashing.vector(text) for text in texts]
