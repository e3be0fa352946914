"""Segments to entries of indexes: whatever changed in the rows, ``put`` makes each index say what the rows say.

Texts are embedded outside of any transaction. Then, in one: the dataset's row is held so that no other generation begins or
serves meanwhile, who asks proves that it still may, the segments are read again, and entries and states are written. What was
edited meanwhile is left to whoever edited it. Rows are locked in the order dataset, document, segments, everywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from datasets.models import ChildChunk, Dataset, DocForm, Document, Segment, SegmentStatus
from datasets.rag.stores import Entry, Index
from datasets.stores import default_name
from difyproj.infra import inserts
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import DomainError

from . import models, pipeline
from .models import Embedder
from .stores import store_of
from .vectors import ROUND_SECONDS, Check, Filling, hash_of

logger = logging.getLogger(__name__)

# Of a text that a person waits for.
PATIENCE_SECONDS: Final = 8.0
DIMENSION_BYTES: Final = 4
_COMPLETED: Final = {"status": SegmentStatus.COMPLETED, "error": "", "stopped_at": None}


@dataclass(frozen=True, slots=True)
class Target:
    """One index that is written: the one that answers, or the one that is built beside it."""

    generation: int
    embedder: Embedder | None
    is_next: bool = False

    @property
    def column(self) -> str:
        return "next_generation" if self.is_next else "generation"


Made = tuple[Target, Mapping[str, bytes] | None]


@dataclass(frozen=True, slots=True)
class Unit:
    """What is found under one node. ``text`` is embedded, ``words`` is what keywords are looked for in."""

    node_id: UUID
    segment_id: UUID
    document_id: UUID
    text: str = field(repr=False)
    words: str = field(repr=False)
    hash: str


@dataclass(frozen=True, slots=True)
class Asker:
    """On whose behalf: ``guard`` says in the transaction whether the work is still wanted (False: nothing is written)."""

    claim: UUID = field(default_factory=ids.new_id)
    check: Check = lambda: None
    guard: Callable[[int], bool] = lambda completed: True
    seconds: float = ROUND_SECONDS


def put(dataset_id: UUID, segments: Sequence[Segment], asker: Asker | None = None, *, only: int | None = None) -> bool:
    """Embed these segments of one dataset and write their entries to its indexes (``only``: to that generation).

    Those that are disabled are taken out instead. False when the asker's guard refused, or the dataset is gone. Raises what
    the model raises.
    """
    asker = asker or Asker()
    while segments:
        dataset = _settled(dataset_id)
        if dataset is None:
            return False
        goals = [goal for goal in targets(dataset) if only in (None, goal.generation)]
        texts = {unit.hash: unit.text for unit in units_of([segment for segment in segments if segment.enabled])}
        made = [(goal, _vectors(dataset, goal, texts, asker)) for goal in goals]
        with transaction.atomic():
            held = hold(dataset_id)
            if held is not None and _same(held, dataset):
                return _write(held, segments, made, asker, has_states=only is None)
    return True


def refresh(document: Document, segments: Sequence[Segment], *, seconds: float = PATIENCE_SECONDS) -> bool:
    """After the transaction of a person's change: the index follows at once if the model answers in time, else by a job.

    The change itself sets ``status`` of what has another text to waiting, so that nothing is forgotten when the process ends.
    True when the index is up to date. The rows in ``segments`` are read again.
    """
    deadline = clock.monotonic() + seconds

    def check() -> None:
        # However many rounds of calls there are.
        if clock.monotonic() > deadline:
            raise TimeoutError("The model takes too long for somebody who waits.")

    try:
        put(document.dataset_id, segments, Asker(check=check, seconds=seconds))
    except (DomainError, OSError) as error:
        logger.info("A change of a document's text is indexed by a job: %s", error, extra={"document_id": str(document.pk)})
    _read_again(segments)
    done = all(segment.status == SegmentStatus.COMPLETED for segment in segments)
    if not done:
        pipeline.changed(document)
    return done


def _read_again(segments: Sequence[Segment]) -> None:
    """In one query; those that are gone meanwhile stay as they are."""
    now = Segment.objects.in_bulk([segment.pk for segment in segments])
    for segment in segments:
        if (row := now.get(segment.pk)) is not None:
            for field in Segment._meta.concrete_fields:
                setattr(segment, field.attname, getattr(row, field.attname))


@transaction.atomic
def take_out(document: Document) -> None:
    """Out of every index; the rows stay."""
    dataset = hold(document.dataset_id)
    Segment.objects.filter(document=document).update(index_node_hash="")
    if dataset is None:
        return
    for index in indexes(dataset):
        store_of(dataset).remove(index, documents=[document.pk])


def targets(dataset: Dataset) -> list[Target]:
    """Every index that must hold what the rows say."""
    found = [Target(dataset.generation, models.embedder(dataset))]
    if dataset.next_generation is not None:
        found.append(Target(dataset.next_generation, models.next_embedder(dataset), is_next=True))
    return found


def indexes(dataset: Dataset) -> list[Index]:
    found = [index_of(dataset)]
    if dataset.next_generation is not None:
        found.append(Index(dataset.tenant_id, dataset.pk, dataset.next_generation, dataset.next_dimensions))
    return found


def index_of(dataset: Dataset) -> Index:
    """The one that answers."""
    return Index(dataset.tenant_id, dataset.pk, dataset.generation, dataset.dimensions)


def units_of(segments: Sequence[Segment]) -> list[Unit]:
    """One per segment, or one per child where the document has parents and children."""
    parents = {segment.pk: segment for segment in segments if segment.document.doc_form == DocForm.HIERARCHICAL}
    found = [
        _unit(segment.index_node_id, segment.pk, segment.document_id, segment.content, words_of(segment))
        for segment in segments
        if segment.pk not in parents
    ]
    if parents:
        children = ChildChunk.objects.filter(segment__in=parents).order_by("segment", "position")
        found += [
            _unit(child.index_node_id, child.segment_id, child.document_id, child.content, child.content) for child in children
        ]
    return found


def _unit(node_id: UUID, segment_id: UUID, document_id: UUID, text: str, said: str) -> Unit:
    return Unit(node_id, segment_id, document_id, text, said, hash_of(text))


def words_of(segment: Segment) -> str:
    """Keywords that somebody gave a segment count like its own words."""
    more = [word for word in segment.keywords if word not in segment.content] if segment.edited else []
    return f"{segment.content}\n{' '.join(more)}" if more else segment.content


def nodes_of(segments: Sequence[Segment]) -> list[UUID]:
    """All that may stand in an index for these."""
    children = ChildChunk.objects.filter(segment__in=[segment.pk for segment in segments])
    return [*(segment.index_node_id for segment in segments), *children.values_list("index_node_id", flat=True)]


def share(dataset_id: UUID) -> None:
    """The dataset's row stays as it is until the transaction ends; others may share it, too. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 FROM {Dataset._meta.db_table} WHERE id = %s FOR SHARE", [dataset_id])  # noqa: S608


def hold(dataset_id: UUID) -> Dataset | None:
    """The same, and what the row says. None when it is gone."""
    share(dataset_id)
    return Dataset.objects.filter(pk=dataset_id).first()


def _settled(dataset_id: UUID) -> Dataset | None:
    """It keeps the store that it began with, whatever the default becomes. None when it is gone."""
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is not None and not dataset.store:
        Dataset.objects.filter(pk=dataset_id, store="").update(store=default_name())
        dataset.refresh_from_db(fields=["store"])
    return dataset


def _vectors(dataset: Dataset, goal: Target, texts: Mapping[str, str], asker: Asker) -> Mapping[str, bytes] | None:
    """None where the index has none."""
    if goal.embedder is None:
        return None
    found = Filling(goal.embedder, asker.claim, asker.check, asker.seconds, dataset.pk).of(texts)
    name = "next_dimensions" if goal.is_next else "dimensions"
    if found and not getattr(dataset, name):
        dimensions = len(next(iter(found.values()))) // DIMENSION_BYTES
        Dataset.objects.filter(pk=dataset.pk, **{goal.column: goal.generation, name: 0}).update(**{name: dimensions})
    return found


def _write(dataset: Dataset, segments: Sequence[Segment], made: Sequence[Made], asker: Asker, *, has_states: bool) -> bool:
    if not asker.guard(sum(segment.status != SegmentStatus.COMPLETED for segment in segments)):
        return False
    keys = [segment.pk for segment in segments]
    documents = {segment.document_id: segment.document for segment in segments}
    # In the order in which a search counts its hits.
    rows = list(Segment.objects.filter(pk__in=keys).order_by("pk").select_for_update())
    for row in rows:
        row.document = documents[row.document_id]
    if not has_states:
        rows = [row for row in rows if row.index_node_hash]
    units = units_of([row for row in rows if row.enabled])
    # What has no vector was edited while the others' were made.
    edited = {unit.segment_id for unit in units for _, vectors in made if vectors is not None and unit.hash not in vectors}
    off = [row for row in rows if not row.enabled]
    for goal, vectors in made:
        index = next(index for index in indexes(dataset) if index.generation == goal.generation)
        entries = [
            Entry(unit.node_id, unit.segment_id, unit.document_id, unit.words, None if vectors is None else vectors[unit.hash])
            for unit in units
            if unit.segment_id not in edited
        ]
        if entries:
            store_of(dataset).put(index, entries)
        if off:
            store_of(dataset).remove(index, nodes=nodes_of(off))
    if has_states:
        _note([row for row in rows if row.pk not in edited])
    return True


def _note(rows: Sequence[Segment]) -> None:
    now = clock.now()
    changes = []
    for row in rows:
        held = hash_of(row.content) if row.enabled else ""
        changes.append((row.pk, {"index_node_hash": held, **_COMPLETED, "completed_at": row.completed_at or now}))
    inserts.update_many(Segment, changes)


def _same(held: Dataset, seen: Dataset) -> bool:
    names = ("generation", "next_generation", "serving", "embedding_model", "embedding_model_provider", "indexing_technique")
    return all(getattr(held, name) == getattr(seen, name) for name in names)
