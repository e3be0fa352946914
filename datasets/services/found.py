"""What retrieval gives back, and what it leaves in the rows: hits and questions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import F

from datasets.models import Dataset, DatasetQuery, Document, QuerySource, Segment
from datasets.models.dataset import DatasetRows
from datasets.models.segment import SegmentRows

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and ``may_ask``: the datasets that it may ask, as a queryset. The role is account or end_user."""

    tenant_id: UUID
    may_ask: DatasetRows
    source: QuerySource
    role: str = "account"
    actor_id: UUID | None = None
    app_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Child:
    """A child chunk that was found."""

    id: UUID
    content: str
    position: int
    score: float


@dataclass(frozen=True, slots=True)
class Said:
    """What an external system said. ``metadata`` is its own."""

    content: str
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passage:
    """One thing that was found: a ``segment`` (with its document), or what an ``external`` system said.

    ``why`` are the ranks and scores of every step.
    """

    dataset: Dataset
    score: float
    segment: Segment | None = None
    children: Sequence[Child] = ()
    external: Said | None = None
    why: Mapping[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> Document | None:
        return None if self.segment is None else self.segment.document

    @property
    def content(self) -> str:
        if self.segment is None:
            return "" if self.external is None else self.external.content
        return said(self.segment)


@dataclass(frozen=True, slots=True)
class Passages:
    """Best first. ``trace`` tells by dataset how they were looked for, and why each one is among them."""

    query: str
    passages: Sequence[Passage] = ()
    trace: Mapping[UUID, Mapping[str, Any]] = field(default_factory=dict)
    elapsed_ms: float = 0.0


def said(segment: Segment) -> str:
    """As models are told it."""
    return f"question:{segment.content} \nanswer:{segment.answer}" if segment.answer else segment.content


def note(asker: Asker, made: Passages) -> None:
    """Each passage was hit once more, each dataset was asked.

    In transactions of their own: whoever changes passages holds the dataset before them, and a question points at it, too.
    """
    hit = [passage.segment.pk for passage in made.passages if passage.segment is not None]
    if hit:
        _count(Segment.objects.for_tenant(asker.tenant_id).filter(pk__in=hit))
    asked = [
        DatasetQuery(
            tenant_id=asker.tenant_id, dataset_id=dataset_id, content=made.query, source=asker.source, app_id=asker.app_id,
            created_by_role=asker.role, created_by_id=asker.actor_id, trace=trace, elapsed_ms=made.elapsed_ms,
        )
        for dataset_id, trace in made.trace.items()
    ]  # fmt: skip
    try:
        with transaction.atomic():
            DatasetQuery.objects.bulk_create(asked)
    except IntegrityError:
        logger.info("A dataset was deleted while it was asked")


@transaction.atomic
def _count(rows: SegmentRows) -> None:
    """Locked in one order, that of indexing too: an UPDATE locks rows as it meets them."""
    if connection.features.has_select_for_update:
        list(rows.order_by("position", "pk").select_for_update(no_key=True).values_list("pk"))
    rows.update(hit_count=F("hit_count") + 1)
