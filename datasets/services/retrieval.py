"""Retrieval: passages of datasets that speak of a query, from whichever way of search the settings name.

Rows are worked on in the pool's threads, models and external systems are awaited on the loop, and no connection is held
meanwhile. The number of queries does not grow with what is found:

1. the datasets that the asker may ask, and the documents that meet the conditions;
2. the query's vectors; what external systems say;
3. each index, then the segments of all that was found, their children where there are some, and vectors for the exact
   meaning of what only its words brought;
4. the rerank model, where one is to decide;
5. hits, and one DatasetQuery per dataset with the trace, in one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.db import DatabaseError

from datasets.models import ChildChunk, QuerySource
from datasets.rag.search import Group, rounded
from difyproj.infra import db
from difyproj.kernel import clock
from difyproj.kernel.principal import ActorKind, Principal

from . import access, external, found, rerank, searching
from .found import Asker, Child, Passage, Passages, Said
from .retrieval_settings import Reranker, Settings, parse
from .searching import Plan, Rows

__all__ = ["Asker", "Child", "Passage", "Passages", "Reranker", "Said", "Settings", "asker", "parse", "retrieve"]

LONGEST_QUERY: Final = 10_000

logger = logging.getLogger(__name__)


def asker(principal: Principal, source: QuerySource = QuerySource.API) -> Asker:
    """A member, or a dataset key: what it may see it may ask."""
    role = "end_user" if principal.actor_kind is ActorKind.END_USER else "account"
    return Asker(principal.tenant_id, access.visible_to(principal), source, role, principal.actor_id)


async def retrieve(asker: Asker, query: str, datasets: Collection[UUID], settings: Settings) -> Passages:
    """What these datasets hold of the query. Ids that are not for the asker find nothing, like an empty query.

    Raises what models and external systems raise: ProviderNotInitialize, ModelCallFailed, ExternalKnowledgeFailed and others.
    """
    began = clock.monotonic()
    text = query.replace("\0", "").strip()[:LONGEST_QUERY]
    if not text or not datasets:
        return Passages(query)
    plan = await db.run(searching.prepared, asker.may_ask, asker.tenant_id, datasets, settings)
    known, told = await asyncio.gather(searching.vectors(plan, text), external.ask_all(plan.places, text))
    groups, rows = await db.run(searching.searched, plan, text, known)
    passages = sorted([*(_passage(plan, group, rows) for group in groups), *told], key=lambda one: -one.score)
    if settings.reranker is not None:
        passages = await _reranked(asker.tenant_id, settings.reranker, text, passages)
    chosen = [one for one in passages if settings.score_threshold is None or one.score >= settings.score_threshold]
    chosen = chosen[: settings.top_k]
    elapsed = round((clock.monotonic() - began) * 1000, 3)
    made = Passages(text, chosen, _trace(plan, passages, chosen), elapsed)
    await _note(asker, made)
    return made


async def _note(asker: Asker, made: Passages) -> None:
    """What was found is given back whether or not it can be counted."""
    try:
        await db.run(found.note, asker, made)
    except DatabaseError as error:
        logger.warning("What was found is not counted: %s", error, extra={"tenant_id": str(asker.tenant_id)})


async def _reranked(tenant_id: UUID, reranker: Reranker, query: str, passages: Sequence[Passage]) -> list[Passage]:
    """In the model's order; what it leaves out is left out."""
    scores = await rerank.scores(tenant_id, reranker, query, [passage.content for passage in passages])
    if scores is None:
        return list(passages)
    made = [
        replace(passages[place], score=score, why={**passages[place].why, "rerank": rounded(score), "score": rounded(score)})
        for place, score in scores.items()
    ]
    return sorted(made, key=lambda one: -one.score)


def _passage(plan: Plan, group: Group, rows: Rows) -> Passage:
    segment, dataset = rows.segments[group.segment_id], plan.datasets[group.best.dataset_id]
    children = [
        _child(child, one.score) for one in group.candidates if (child := rows.children.get(one.node_id)) is not None
    ]  # fmt: skip
    return Passage(dataset, group.score, segment, children, why=group.best.why())


def _child(row: ChildChunk, score: float) -> Child:
    return Child(row.pk, row.content, row.position, score)


def _trace(plan: Plan, passages: Sequence[Passage], chosen: Sequence[Passage]) -> dict[UUID, dict[str, Any]]:
    """By dataset: how it was searched, how much was found, and each passage with its place in the whole answer."""
    told: dict[UUID, dict[str, Any]] = {}
    for dataset_id, dataset in plan.datasets.items():
        found = sum(one.dataset.pk == dataset_id for one in passages)
        own = [
            {"position": place, **_named(one), **one.why} for place, one in enumerate(chosen, 1) if one.dataset.pk == dataset_id
        ]
        told[dataset_id] = {**plan.told(dataset), "found": found, "passages": own}
    return told


def _named(passage: Passage) -> Mapping[str, Any]:
    if passage.segment is None:
        return {"title": "" if passage.external is None else passage.external.title}
    return {"segment_id": str(passage.segment.pk), "document_id": str(passage.segment.document_id)}
