"""The way of a document: waiting, parsing, cleaning, splitting, indexing, completed. Whoever changes its state does it here.

The row says how far it is, so a job may be lost and made again at any time. Each attempt signs the row with a ``run_id`` of its
own; every later write asks for it, and whoever pauses, cancels, restarts or fails the document takes it away: an attempt that
was overtaken writes nothing. What each stage does is ``passages`` and ``indexing``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from datasets.models import UNFINISHED, Document, IndexingStatus, Segment, SegmentStatus
from difyproj.infra import jobs
from difyproj.infra.models import Job
from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError, ServiceUnavailable
from difyproj.model_runtime.errors import ModelCallFailed

from .refusals import InvalidAction

KIND: Final = "datasets.index"
LONGEST_ERROR: Final = 2_000
# A segment that waits so long in a completed document has lost its job.
FORGOTTEN: Final = timedelta(minutes=1)
AT_ONCE: Final = 500
_BEGINNING: Final[dict[str, Any]] = {
    **dict.fromkeys(("processing_started_at", "parsing_completed_at", "cleaning_completed_at", "splitting_completed_at")),
    **dict.fromkeys(("completed_at", "stopped_at", "paused_at", "paused_by_id", "indexing_latency")),
    "error": "",
    "timings": {},
}


def start(document: Document) -> None:
    """A new job for it, in the transaction that is open; one that it had before writes nothing more."""
    job = jobs.enqueue(KIND, document.pk, tenant_id=document.tenant_id, created_by_id=document.created_by_id)
    _set(document, job_id=job.pk, run_id=None)


@transaction.atomic
def restart(document: Document) -> None:
    """From the beginning, with another text or rule. Segments whose text is the same stay, and so do edited ones."""
    _set(document, revision=document.revision + 1, indexing_status=IndexingStatus.WAITING, **_BEGINNING)
    start(document)


@transaction.atomic
def pause(document: Document, *, by: UUID | None = None) -> None:
    """Between two stages or batches; what is done stays. Raises InvalidAction for a document that is not at work."""
    rows = Document.objects.filter(pk=document.pk, indexing_status__in=UNFINISHED)
    if not rows.update(indexing_status=IndexingStatus.PAUSED, paused_at=clock.now(), paused_by_id=by, run_id=None):
        raise InvalidAction("The document is not being indexed.")
    document.refresh_from_db()


@transaction.atomic
def resume(document: Document) -> None:
    """Where it was paused. Raises InvalidAction for a document that is not."""
    rows = Document.objects.filter(pk=document.pk, indexing_status=IndexingStatus.PAUSED)
    if not rows.update(indexing_status=_where(document), paused_at=None, paused_by_id=None):
        raise InvalidAction("The document is not paused.")
    document.refresh_from_db()
    start(document)


@transaction.atomic
def retry(document: Document) -> None:
    """Go on where it failed. Raises InvalidAction for a document that has not."""
    rows = Document.objects.filter(pk=document.pk, indexing_status=IndexingStatus.ERROR)
    if not rows.update(indexing_status=_where(document), error="", stopped_at=None):
        raise InvalidAction("The document has not failed.")
    document.refresh_from_db()
    start(document)


@transaction.atomic
def cancel(document: Document) -> None:
    """Stop the work for good; ``retry`` may take it up again. Raises InvalidAction for a document that is not at work."""
    rows = Document.objects.filter(pk=document.pk, indexing_status__in=[*UNFINISHED, IndexingStatus.PAUSED])
    said = {"error": "Indexing was cancelled.", "stopped_at": clock.now(), "run_id": None}
    if not rows.update(indexing_status=IndexingStatus.ERROR, **said):
        raise InvalidAction("The document is not being indexed.")
    document.refresh_from_db()


@transaction.atomic
def changed(document: Document) -> None:
    """A completed document was enabled, disabled, archived or edited: a job makes the index say the same.

    One that is still at work, paused or failed needs none: its own job looks at all of it.
    """
    row = Document.objects.select_for_update().filter(pk=document.pk, indexing_status=IndexingStatus.COMPLETED).first()
    if row is not None:
        start(row)


def may_pass(error: DomainError) -> bool:
    """Whether the same work may succeed later; ServiceUnavailable is a store that does not answer just now."""
    return isinstance(error, ServiceUnavailable) or (isinstance(error, ModelCallFailed) and error.retryable)


def sweep() -> int:
    """Nothing waits for ever: unfinished documents without an unfinished job get one, or its error; how many there were."""
    rows = Document.objects.filter(indexing_status__in=UNFINISHED)
    found = sum(_look_after(row) for row in _without_job(rows))
    waiting = Segment.objects.filter(status=SegmentStatus.WAITING, updated_at__lt=clock.now() - FORGOTTEN)
    owners = waiting.filter(document__indexing_status=IndexingStatus.COMPLETED).values("document").distinct()[:AT_ONCE]
    for row in _without_job(Document.objects.filter(pk__in=[owner["document"] for owner in owners])):
        changed(row)
        found += 1
    return found


def _without_job(rows: Any) -> list[Document]:
    found = list(rows.only("pk", "tenant_id", "created_by_id", "job_id", "indexing_status")[: 10 * AT_ONCE])
    keys = [row.job_id for row in found if row.job_id]
    alive: set[UUID] = set()
    for start_ in range(0, len(keys), AT_ONCE):
        some = Job.objects.filter(pk__in=keys[start_ : start_ + AT_ONCE], state__in=Job.UNFINISHED)
        alive |= set(some.values_list("pk", flat=True))
    return [row for row in found if row.job_id not in alive]


@transaction.atomic
def _look_after(document: Document) -> bool:
    """As it was read, or not at all: it may have ended, or begun anew, meanwhile."""
    rows = Document.objects.filter(pk=document.pk, job_id=document.job_id, indexing_status__in=UNFINISHED)
    job = Job.objects.filter(pk=document.job_id).first() if document.job_id else None
    if job is not None and job.state == Job.State.FAILED:
        return bool(rows.update(**failed(job.error)))
    if not rows.update(run_id=None):
        return False
    start(document)
    return True


def failed(message: str) -> dict[str, Any]:
    return {
        "indexing_status": IndexingStatus.ERROR,
        "error": (message or "Indexing failed.")[:LONGEST_ERROR],
        "stopped_at": clock.now(),
        "run_id": None,
    }


def _where(document: Document) -> str:
    return IndexingStatus.INDEXING if document.splitting_completed_at else IndexingStatus.WAITING


def _set(document: Document, **values: Any) -> None:
    for name, value in values.items():
        setattr(document, name, value)
    document.save(update_fields=[*values, "updated_at"])
