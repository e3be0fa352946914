"""The rerank call that Cohere, Jina and most self-hosted servers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..base import Ranked
from .exchange import Endpoint, post_json


class _Row(msgspec.Struct):
    index: int
    relevance_score: float


class _Rows(msgspec.Struct):
    results: list[_Row]


async def rerank(endpoint: Endpoint, model: str, query: str, documents: Sequence[str], top_n: int | None) -> Sequence[Ranked]:
    """Best first. Rows that point outside ``documents`` are left out; no document needs no call."""
    if not documents:
        return ()
    body: dict[str, Any] = {"model": model, "query": query, "documents": list(documents)}
    if top_n is not None:
        body["top_n"] = min(top_n, len(documents))
    answer = await post_json(endpoint, endpoint.url("rerank", model), body, _Rows)
    ranked = [Ranked(row.index, row.relevance_score) for row in answer.results if 0 <= row.index < len(documents)]
    return sorted(ranked, key=lambda row: row.score, reverse=True)
