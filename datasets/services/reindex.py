"""Another embedding model, or another way of indexing: the next index is built while the old one answers.

The row's own fields say what is wanted, ``serving`` how the index was built that answers meanwhile. Segments are taken in the
order of their keys, and the last one that the next index holds is kept with each batch. What is written meanwhile is written
to both (``indexing.targets``): a batch that began before the next generation did cannot end after, for it holds the dataset.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.db import transaction

from datasets.models import Dataset, Segment
from difyproj.infra import jobs
from difyproj.infra.models import Job

from . import indexing, models, removal

KIND: Final = "datasets.reindex"
BATCH: Final = 100
_DONE: Final[dict[str, Any]] = {
    "serving": None,
    "next_generation": None,
    "next_dimensions": 0,
    "next_cursor": None,
    "reindex_job_id": None,
}


def begin(dataset: Dataset) -> None:
    """The row is locked, carries the new choice and is saved by the caller; the database still holds the old one.

    Without a segment there is nothing to build: the choice holds at once.
    """
    before = Dataset.objects.get(pk=dataset.pk)
    dataset.reindex_error = ""
    if not Segment.objects.filter(dataset=dataset).exists():
        dataset.dimensions = 0
        return
    dataset.serving = before.serving or models.built_by(before)
    dataset.next_generation = max(before.generation, before.next_generation or 0) + 1
    dataset.next_dimensions, dataset.next_cursor = 0, None
    job = jobs.enqueue(KIND, dataset.pk, tenant_id=dataset.tenant_id, created_by_id=dataset.updated_by_id)
    dataset.reindex_job_id = job.pk


def carry_out(dataset_id: str, job: jobs.Job) -> str:
    """Build on, and exchange the indexes. Raises what the model raises."""
    dataset = Dataset.objects.filter(pk=dataset_id, reindex_job_id=job.id).first()
    if dataset is None or dataset.next_generation is None:
        return "not wanted"
    generation, cursor = dataset.next_generation, dataset.next_cursor
    done, total = 0, _rows(dataset, None).count()
    while batch := list(_rows(dataset, cursor).select_related("document")[:BATCH]):
        cursor = batch[-1].pk
        asker = indexing.Asker(job.id, job.check)
        indexing.put(dataset.pk, batch, asker, only=generation)
        own = Dataset.objects.filter(pk=dataset.pk, next_generation=generation, reindex_job_id=job.id)
        if not own.update(next_cursor=cursor):
            return "not wanted"
        done += len(batch)
        job.progress(done, max(total, done))
    return "exchanged" if _exchange(dataset.pk, generation) else "not wanted"


@transaction.atomic
def give_up(dataset_id: str, job_id: UUID, message: str) -> None:
    """The index that answers goes on answering, and the row says again how it was built."""
    dataset = Dataset.objects.select_for_update().filter(pk=dataset_id, reindex_job_id=job_id).first()
    if dataset is None or dataset.next_generation is None or dataset.serving is None:
        return
    removal.drop_index(dataset, indexing.indexes(dataset)[-1])
    before = dataset.serving
    dataset.indexing_technique = before["technique"]
    dataset.embedding_model_provider, dataset.embedding_model = before["provider"], before["model"]
    _save(dataset, **_DONE, reindex_error=message[:2000])


def sweep() -> int:
    """Datasets whose index is built by no unfinished job get another one, or their old index for good; how many there were."""
    found = 0
    for dataset in Dataset.objects.exclude(next_generation=None):
        job = Job.objects.filter(pk=dataset.reindex_job_id).first() if dataset.reindex_job_id else None
        if job is not None and not job.is_finished:
            continue
        found += 1
        if job is not None and job.state == Job.State.FAILED:
            give_up(str(dataset.pk), job.pk, job.error)
            continue
        with transaction.atomic():
            new = jobs.enqueue(KIND, dataset.pk, tenant_id=dataset.tenant_id)
            same = Dataset.objects.filter(pk=dataset.pk, reindex_job_id=dataset.reindex_job_id)
            if not same.exclude(next_generation=None).update(reindex_job_id=new.pk):
                jobs.cancel(new.pk)
    return found


@transaction.atomic
def _exchange(dataset_id: UUID, generation: int) -> bool:
    dataset = Dataset.objects.select_for_update().filter(pk=dataset_id, next_generation=generation).first()
    if dataset is None:
        return False
    removal.drop_index(dataset, indexing.index_of(dataset))
    _save(dataset, **{**_DONE, "generation": generation, "dimensions": dataset.next_dimensions})
    return True


def _rows(dataset: Dataset, after: UUID | None) -> Any:
    """What the present index holds. What it gets later is put into both."""
    rows = Segment.objects.filter(dataset=dataset, enabled=True).exclude(index_node_hash="").order_by("pk")
    return rows if after is None else rows.filter(pk__gt=after)


def _save(dataset: Dataset, **values: Any) -> None:
    for name, value in values.items():
        setattr(dataset, name, value)
    dataset.save()
