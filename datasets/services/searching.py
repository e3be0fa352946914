"""The search itself: from datasets and settings to everything that was found, scored on one scale."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import Any
from uuid import UUID

from datasets.models import ChildChunk, Dataset, Embedding, Provider, Segment
from datasets.models.dataset import DatasetRows
from datasets.rag import search
from datasets.rag.search import Candidate, Group, Weights
from datasets.rag.stores import Found, Index

from . import conditions, external, indexing, models, retrieval_settings
from .external import Place
from .models import Embedder
from .retrieval_settings import BY_MEANING, BY_WORDS, HYBRID, Settings
from .stores import store_of
from .vectors import hash_of

FLOAT_BYTES = 4
Vectors = Mapping[tuple[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Part:
    """One dataset and how it is searched. ``within`` are the documents that meet the conditions (None: there are none)."""

    dataset: Dataset
    index: Index
    method: str
    weights: Weights
    embedder: Embedder | None = None
    within: Collection[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    tenant_id: UUID
    settings: Settings
    parts: Sequence[Part] = ()
    places: Sequence[Place] = ()
    datasets: Mapping[UUID, Dataset] = field(default_factory=dict)

    def told(self, dataset: Dataset) -> dict[str, Any]:
        """How the dataset is searched, for the trace."""
        settings = self.settings
        part = next((part for part in self.parts if part.dataset.pk == dataset.pk), None)
        told: dict[str, Any] = {"top_k": settings.top_k, "score_threshold": settings.score_threshold}
        if settings.reranker is not None:
            told["rerank"] = {"provider": settings.reranker.provider, "model": settings.reranker.model}
        if part is None:
            return {**told, "method": "external" if dataset.provider == Provider.EXTERNAL else "none"}
        told["method"] = part.method
        if part.method == HYBRID:
            told["weights"] = part.weights.told()
        if part.embedder is not None:
            told["embedding"] = {"provider": part.embedder.provider, "model": part.embedder.model}
        if part.within is not None:
            told["documents"] = len(part.within)
        return told


@dataclass(frozen=True, slots=True)
class Rows:
    """What stands behind candidates: segments by their ids, with documents; children by their nodes."""

    segments: Mapping[UUID, Segment] = field(default_factory=dict)
    children: Mapping[UUID, ChildChunk] = field(default_factory=dict)

    def text(self, candidate: Candidate) -> str:
        """What was looked for under its node."""
        child = self.children.get(candidate.node_id)
        return self.segments[candidate.segment_id].content if child is None else child.content


def prepared(may_ask: DatasetRows, tenant_id: UUID, wanted: Collection[UUID], settings: Settings) -> Plan:
    """Raises what models raise that cannot be called."""
    rows = list(may_ask.filter(tenant_id=tenant_id, pk__in=wanted).select_related("external_api"))
    own = [row for row in rows if row.provider == Provider.VENDOR]
    told = None if settings.filter is None or not own else conditions.within(tenant_id, own, settings.filter)
    parts = [_part(row, settings, None if told is None else told[row.pk], several=len(rows) > 1) for row in own]
    return Plan(
        tenant_id,
        settings,
        [part for part in parts if part.within is None or part.within],
        [external.place(row, settings) for row in rows if row.provider == Provider.EXTERNAL and row.external_api_id],
        {row.pk: row for row in rows},
    )


def _part(dataset: Dataset, settings: Settings, within: Collection[UUID] | None, *, several: bool) -> Part:
    method = retrieval_settings.method_of(dataset, settings, several=several)
    is_vectored = method in BY_MEANING and dataset.dimensions > 0
    return Part(
        dataset=dataset,
        index=indexing.index_of(dataset),
        method=method,
        weights=settings.weights or retrieval_settings.of_dataset(dataset).weights or Weights(),
        embedder=models.embedder(dataset) if is_vectored else None,
        within=within,
    )


async def vectors(plan: Plan, text: str) -> Vectors:
    """The query by every model that one of the indexes was made with, by provider and model."""
    embedders = {_key(part.embedder): part.embedder for part in plan.parts if part.embedder is not None}
    made = await asyncio.gather(*(embedder.embed([text]) for embedder in embedders.values()))
    return {key: one.vectors[0] for key, one in zip(embedders, made, strict=True)}


def searched(plan: Plan, text: str, known: Vectors) -> tuple[list[Group], Rows]:
    """Everything that the indexes found and that may be shown, best first."""
    found = [(part, _looked_up(plan, part, text, known)) for part in plan.parts]
    rows = _rows(plan, [one for _, candidates in found for one in candidates])
    found = [(part, [one for one in candidates if one.segment_id in rows.segments]) for part, candidates in found]
    _complete(plan, found, rows, known)
    if len(found) > 1:
        compared = [one for part, candidates in found if part.method in BY_WORDS for one in candidates]
        search.compare_words(compared, text, {one.node_id: rows.text(one) for one in compared})
    for part, candidates in found:
        if part.method == HYBRID and part.embedder is not None:
            search.weigh(candidates, part.weights)
        elif part.method in BY_WORDS:
            _by_words(candidates, plan.settings.weights if len(found) > 1 else None)
    return search.grouped(one for _, candidates in found for one in candidates), rows


def _by_words(candidates: Iterable[Candidate], weights: Weights | None) -> None:
    """Beside datasets that are weighed, words are worth no more than their weight."""
    for one in candidates:
        one.score = one.words or 0.0
    if weights is not None:
        search.weigh(candidates, weights)


def _looked_up(plan: Plan, part: Part, text: str, known: Vectors) -> list[Candidate]:
    store, depth = store_of(part.dataset), search.depth(plan.settings.top_k)
    vector = known[_key(part.embedder)] if part.embedder is not None else b""
    near: Sequence[Found] = ()
    if vector and len(vector) == part.index.dimensions * FLOAT_BYTES:
        near = store.nearest(part.index, vector, top_k=depth, within=part.within)
    by_words = store.matching(part.index, text, top_k=depth, within=part.within) if part.method in BY_WORDS else ()
    return search.gathered(part.dataset.pk, near, by_words)


def _rows(plan: Plan, candidates: Sequence[Candidate]) -> Rows:
    """Two queries at most: what is disabled, archived or not indexed is not among them."""
    if not candidates:
        return Rows()
    datasets = [part.dataset.pk for part in plan.parts]
    segments = Segment.objects.for_tenant(plan.tenant_id).searchable().filter(
        pk__in={one.segment_id for one in candidates}, dataset_id__in=datasets, document__enabled=True,
        document__archived=False,
    ).select_related("document")  # fmt: skip
    found = {row.pk: row for row in segments}
    nodes = {one.node_id for one in candidates if (row := found.get(one.segment_id)) and row.index_node_id != one.node_id}
    children = ChildChunk.objects.filter(index_node_id__in=nodes, segment_id__in=found) if nodes else ()
    return Rows(found, {row.index_node_id: row for row in children})


def _complete(plan: Plan, found: Sequence[tuple[Part, Sequence[Candidate]]], rows: Rows, known: Vectors) -> None:
    """What only its words brought gets its meaning's score from the vectors that are kept of every text. One query."""
    missing: dict[tuple[str, str, str], list[Candidate]] = {}
    for part, candidates in found:
        if part.method != HYBRID or part.embedder is None:
            continue
        for one in candidates:
            if one.semantic is None:
                missing.setdefault((*_key(part.embedder), hash_of(rows.text(one))), []).append(one)
    if not missing:
        return
    kept = Embedding.objects.for_tenant(plan.tenant_id).made().filter(
        provider__in={key[0] for key in missing}, model__in={key[1] for key in missing}, hash__in={key[2] for key in missing}
    )  # fmt: skip
    for provider, model, digest, vector in kept.values_list("provider", "model", "hash", "vector"):
        for one in missing.get((provider, model, digest), ()):
            one.semantic = _cosine(known[provider, model], bytes(vector))


def _cosine(one: bytes, other: bytes) -> float:
    if len(one) != len(other):
        return 0.0
    return min(max(sum(map(mul, memoryview(one).cast("f"), memoryview(other).cast("f"))), 0.0), 1.0)


def _key(embedder: Embedder | None) -> tuple[str, str]:
    assert embedder is not None
    return embedder.provider, embedder.model
