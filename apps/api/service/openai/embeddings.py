"""POST /embeddings: vectors by the workspace's default embedding model."""

from __future__ import annotations

import asyncio
import base64
import sys
from array import array
from collections.abc import Sequence
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps import generation
from difyproj.kernel.errors import InvalidParam
from difyproj.tiers.actions import Deferred

from . import records
from .base import OpenAIViewSet
from .fields import EmbeddingFields

MOST_INPUTS: Final = 2048
EXAMPLE = {"model": "default", "input": ["What can you do?"]}


class Embeddings(OpenAIViewSet):
    """Nothing is written, and thousands of vectors are no answer to be kept: the same request is simply answered again."""

    keeps_answers = False
    repeats_safely = True

    @extend_schema(
        operation_id="createEmbedding",
        request=EmbeddingFields,
        responses=records.EmbeddingList,
        examples=[OpenApiExample("A text", value=EXAMPLE, request_only=True)],
    )
    def create(self, request: Request) -> Deferred:
        fields = self.body(EmbeddingFields)
        inputs = _inputs(fields["input"])
        plan = generation.plan_embedding(self.app, inputs, dimensions=fields.get("dimensions") or 0)

        async def embed() -> Response:
            made = await generation.embed(plan)
            rows = await asyncio.to_thread(_rows, made.vectors, fields.get("encoding_format") == "base64")
            spent = made.usage.prompt_tokens
            usage = {"prompt_tokens": spent, "total_tokens": spent}
            return Response({"object": "list", "data": rows, "model": plan.call.model, "usage": usage})

        return Deferred(embed)


def _inputs(given: Any) -> Sequence[str | Sequence[int]]:
    """One text, texts, the tokens of one text, or those of several. Raises InvalidParam."""
    found = [given] if isinstance(given, str) or _is_tokens(given) else given
    if not isinstance(found, list) or not found:
        raise InvalidParam("input must be a text, a list of texts, a list of tokens, or a list of such lists.", params="input")
    if len(found) > MOST_INPUTS:
        raise InvalidParam(f"At most {MOST_INPUTS} inputs are embedded at once.", params="input")
    for number, one in enumerate(found):
        if not ((isinstance(one, str) and one) or _is_tokens(one)):
            raise InvalidParam("Each input must be a text that is not empty, or tokens of one.", params=f"input[{number}]")
    return found


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(token) is int and token >= 0 for token in value)


def _rows(vectors: Sequence[Sequence[float]], packed: bool) -> list[dict[str, Any]]:
    write = _packed if packed else list
    return [{"object": "embedding", "index": index, "embedding": write(vector)} for index, vector in enumerate(vectors)]


def _packed(vector: Sequence[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
