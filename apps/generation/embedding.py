"""Embeddings by the workspace's default model: planned in a thread with database access, carried out on the loop."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from accounts.services import model_access
from apps.models import App
from difyproj.infra.model_port import runtime
from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime import catalogue, tokens
from difyproj.model_runtime.base import Embeddings, ModelType
from difyproj.model_runtime.messages import TokenUsage

from .invoke import ModelCall, default_call

# What clients cut their texts with when they do not know the model: OpenAI's own embedding models read it.
ENCODING: Final = "cl100k_base"
# The word in a model's facts for: the first numbers of a vector are a vector of the same kind.
SHORTENED: Final = "dimensions"


@dataclass(frozen=True, slots=True)
class EmbeddingPlan:
    """``inputs`` are texts, or tokens of texts. ``dimensions`` 0 leaves the vectors as they are."""

    call: ModelCall
    inputs: Sequence[str | Sequence[int]]
    dimensions: int = 0


def embedding_model(app: App) -> str:
    """The name of the workspace's default embedding model, empty without one."""
    default = model_access.default_model(app.tenant_id, ModelType.TEXT_EMBEDDING)
    return default.model if default else ""


def plan_embedding(app: App, inputs: Sequence[str | Sequence[int]], *, dimensions: int = 0) -> EmbeddingPlan:
    """Raises ProviderNotInitialize without a default model, InvalidParam when its vectors cannot be shortened."""
    call = default_call(app, ModelType.TEXT_EMBEDDING)
    if dimensions and SHORTENED not in catalogue.facts(call.provider, call.model, ModelType.TEXT_EMBEDDING).features:
        raise InvalidParam(f"The model {call.model} has vectors of one length only.", params="dimensions")
    return EmbeddingPlan(call, inputs, dimensions)


async def embed(plan: EmbeddingPlan) -> Embeddings:
    """One vector per input, in order, and what they cost. Raises InvalidParam for tokens that cannot be read."""
    call = plan.call
    texts = [one if isinstance(one, str) else await _text(one) for one in plan.inputs]
    made = await runtime().embed(call.provider, call.credentials, call.model, texts)
    if not made.usage.prompt_tokens:
        counted = sum(tokens.estimate(text, call.model) for text in texts)
        made = replace(made, usage=TokenUsage(prompt_tokens=counted, estimated=True))
    if plan.dimensions:
        made = replace(made, vectors=[_shortened(vector, plan.dimensions) for vector in made.vectors])
    return made


async def _text(ids: Sequence[int]) -> str:
    try:
        return await tokens.decode(ids, ENCODING)
    except ValueError as error:
        raise InvalidParam(str(error), params="input") from error


def _shortened(vector: Sequence[float], dimensions: int) -> Sequence[float]:
    if dimensions > len(vector):
        raise InvalidParam(f"The model's vectors have {len(vector)} dimensions.", params="dimensions")
    kept = vector[:dimensions]
    length = math.sqrt(sum(number * number for number in kept))
    return [number / length for number in kept] if length else kept
