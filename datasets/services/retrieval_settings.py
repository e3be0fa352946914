"""How datasets are searched, read from the contract's ``RetrievalModel`` and from what apps and graphs hold of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from datasets.models import Dataset, IndexingTechnique
from datasets.rag import filters
from datasets.rag.filters import Filter
from datasets.rag.search import Weights
from difyproj.kernel.errors import InvalidParam

SEMANTIC: Final = "semantic_search"
FULL_TEXT: Final = "full_text_search"
KEYWORD: Final = "keyword_search"
HYBRID: Final = "hybrid_search"
METHODS: Final = (SEMANTIC, FULL_TEXT, KEYWORD, HYBRID)
BY_MEANING: Final = (SEMANTIC, HYBRID)
BY_WORDS: Final = (FULL_TEXT, KEYWORD, HYBRID)
TOP_K: Final = 4
MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Reranker:
    """A rerank model; without a name the workspace's default."""

    provider: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """``method`` empty: as each dataset says. ``score_threshold`` is asked of the final score. ``external`` is what external
    knowledge is asked with, where it is to differ."""

    method: str = ""
    top_k: int = TOP_K
    score_threshold: float | None = None
    weights: Weights | None = None
    reranker: Reranker | None = None
    filter: Filter | None = None
    external: Mapping[str, Any] | None = None


def parse(raw: Mapping[str, Any] | None, *, external: Mapping[str, Any] | None = None) -> Settings:
    """A ``RetrievalModel``, complete or not. Raises InvalidParam for values of the wrong kind.

    Graphs call a rerank model ``{provider, model}`` and turn its threshold on by giving one.
    """
    given = {name: value for name, value in (raw or {}).items() if value is not None}
    method = given.get("search_method") or ""
    if method and method not in METHODS:
        raise InvalidParam(f"search_method must be one of {', '.join(METHODS)}.", params="search_method")
    by_weights = given.get("reranking_mode") == "weighted_score"
    return Settings(
        method=method,
        top_k=_top_k(given.get("top_k")),
        score_threshold=_threshold(given),
        weights=_weights(given.get("weights")) if by_weights else None,
        reranker=_reranker(given.get("reranking_model")) if given.get("reranking_enable") and not by_weights else None,
        filter=filters.parse(given.get("metadata_filtering_conditions")),
        external=external,
    )


def of_dataset(dataset: Dataset) -> Settings:
    """How it is searched when the asker does not say. What lies there broken counts as not said."""
    try:
        return parse(dataset.retrieval_model if isinstance(dataset.retrieval_model, Mapping) else None)
    except InvalidParam:
        return Settings()


def method_of(dataset: Dataset, settings: Settings, *, several: bool) -> str:
    """Several are weighed alike, so those with vectors are asked both ways."""
    technique = (dataset.serving or {}).get("technique") or dataset.indexing_technique
    if technique == IndexingTechnique.ECONOMY:
        return KEYWORD
    if settings.method:
        return settings.method
    if several and settings.weights is not None:
        return HYBRID
    return of_dataset(dataset).method or SEMANTIC


def _top_k(value: Any) -> int:
    number = _number(TOP_K if value is None else value, "top_k")
    return min(max(int(number), 1), MOST)


def _threshold(given: Mapping[str, Any]) -> float | None:
    value = given.get("score_threshold")
    if value is None or not given.get("score_threshold_enabled", True):
        return None
    return min(max(_number(value, "score_threshold"), 0.0), 1.0) or None


def _weights(raw: Any) -> Weights:
    usual = Weights()
    semantic = _nested(raw, "vector_setting", "vector_weight")
    by_words = _nested(raw, "keyword_setting", "keyword_weight")
    if semantic is None and by_words is None:
        return usual
    chosen = Weights(
        max(_number(usual.semantic if semantic is None else semantic, "weights"), 0.0),
        max(_number(usual.words if by_words is None else by_words, "weights"), 0.0),
    )
    return chosen if chosen.semantic + chosen.words > 0 else usual


def _nested(raw: Any, *path: str) -> Any:
    for step in path:
        raw = raw.get(step) if isinstance(raw, Mapping) else None
    return raw


def _reranker(raw: Any) -> Reranker:
    given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {}
    return Reranker(
        _text(given, ("reranking_provider_name", "provider")), _text(given, ("reranking_model_name", "model"))
    )  # fmt: skip


def _text(given: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((str(given[name]) for name in names if given.get(name)), "")


def _number(value: Any, field: str) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InvalidParam(f"{field} must be a number.", params=field)
    return number
