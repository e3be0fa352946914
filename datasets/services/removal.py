"""Deletions: rows go in the transaction, and what indexes and the storage hold of them is named by a Leftover that a job
works off, however often processes die.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import TagBinding
from datasets.models import ChildChunk, Dataset, Document, Leftover, Segment
from datasets.rag.stores import Index
from difyproj.infra import jobs
from difyproj.infra.models import Job
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock

from . import indexing
from .stores import store_named

KIND: Final = "datasets.remove"
AT_ONCE: Final = 500
# A leftover this old without a job has lost it.
FORGOTTEN: Final = timedelta(minutes=2)


@transaction.atomic
def remove_documents(dataset: Dataset, documents: Collection[Document]) -> None:
    """With their segments."""
    keys = [document.pk for document in documents]
    # The rows are locked first: a worker that writes a batch just now ends it before, and none begins after.
    list(Document.objects.filter(pk__in=keys).select_for_update().values_list("pk"))
    for rows in (ChildChunk.objects.filter(document__in=keys), Segment.objects.filter(document__in=keys)):
        _delete(rows)
    Document.objects.filter(pk__in=keys).delete()
    _leave(dataset, documents=[str(key) for key in keys], keys=[document.key for document in documents if document.key])


@transaction.atomic
def remove_segments(dataset: Dataset, segments: Sequence[Segment]) -> None:
    """With their children."""
    nodes = indexing.nodes_of(segments)
    keys = [segment.pk for segment in segments]
    _delete(ChildChunk.objects.filter(segment__in=keys))
    _delete(Segment.objects.filter(pk__in=keys))
    _leave(dataset, nodes=[str(node) for node in nodes])


@transaction.atomic
def remove_children(dataset: Dataset, children: Sequence[ChildChunk]) -> None:
    _delete(ChildChunk.objects.filter(pk__in=[child.pk for child in children]))
    _leave(dataset, nodes=[str(child.index_node_id) for child in children])


@transaction.atomic
def remove_dataset(dataset: Dataset) -> None:
    """The dataset with all that belongs to it."""
    keys = list(Document.objects.filter(dataset=dataset).select_for_update().values_list("key", flat=True))
    _leave(dataset, is_whole=True)
    for start in range(0, len(keys), AT_ONCE):
        remove_bytes(dataset, [key for key in keys[start : start + AT_ONCE] if key])
    for rows in (ChildChunk.objects, Segment.objects, Document.objects):
        _delete(rows.filter(dataset=dataset))
    TagBinding.objects.for_tenant(dataset.tenant_id).filter(target_id=dataset.pk).delete()
    dataset.delete()


def drop_index(dataset: Dataset, index: Index) -> None:
    """A generation that no longer answers, or never will."""
    _leave(dataset, [index], is_whole=True)


def remove_bytes(dataset: Dataset, keys: Sequence[str]) -> None:
    """What a document does not consist of any more."""
    _leave(dataset, [], keys=list(keys))


def carry_out(leftover_id: UUID | str) -> None:
    """May be repeated."""
    row = Leftover.objects.filter(pk=leftover_id).first()
    if row is None:
        return
    store = store_named(row.store)
    for generation, dimensions in row.generations:
        index = Index(row.tenant_id, row.dataset_id, generation, dimensions)
        if row.is_whole:
            store.drop(index)
        for some in _parts(row.documents):
            store.remove(index, documents=some)
        for some in _parts(row.nodes):
            store.remove(index, nodes=some)
    for key in row.keys:
        get_storage().delete(key)
    row.delete()


def forgotten() -> int:
    """Give a job to leftovers that have none; how many there were."""
    old = Leftover.objects.filter(created_at__lt=clock.now() - FORGOTTEN)
    found = 0
    for row in old.order_by("created_at")[:AT_ONCE]:
        if not Job.objects.filter(kind=KIND, target_id=str(row.pk), state__in=Job.UNFINISHED).exists():
            jobs.enqueue(KIND, row.pk, tenant_id=row.tenant_id, unique=True)
            found += 1
    return found


def _leave(dataset: Dataset, indexes: Sequence[Index] | None = None, **what: Any) -> None:
    if indexes is None:
        # Another index may have begun, or have taken the other's place, since the caller read the row.
        dataset = indexing.hold(dataset.pk) or dataset
        indexes = indexing.indexes(dataset)
    row = Leftover.objects.create(
        tenant_id=dataset.tenant_id,
        dataset_id=dataset.pk,
        store=dataset.store,
        generations=[[index.generation, index.dimensions] for index in indexes],
        **what,
    )
    jobs.enqueue(KIND, row.pk, tenant_id=dataset.tenant_id)


def _delete(rows: QuerySet[Any]) -> None:
    """In one statement, whatever their number: nothing hangs on them that was not deleted before."""
    rows.order_by()._raw_delete(rows.db)


def _parts(values: Sequence[str]) -> list[list[UUID]]:
    return [[UUID(value) for value in values[at : at + AT_ONCE]] for at in range(0, len(values), AT_ONCE)]
