"""Jobs as their callers see them: ask for one, take it back, try it again."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction

from difyproj.infra.models import Job
from difyproj.kernel import clock

from . import delivery
from .registry import JOBS


def enqueue(
    kind: str,
    target_id: UUID | str = "",
    *,
    tenant_id: UUID | None = None,
    created_by_id: UUID | None = None,
    delay: float = 0,
    unique: bool = False,
) -> Job:
    """A new job, run by a worker when the present transaction is committed and ``delay`` seconds have passed.

    With ``unique`` there is at most one unfinished job of this kind and target: that one is returned when it exists.
    Raises UnknownEntry.
    """
    JOBS.require(kind)
    while True:
        now = clock.now()
        row = Job(
            kind=kind,
            target_id=str(target_id),
            tenant_id=tenant_id,
            created_by_id=created_by_id,
            created_at=now,
            not_before=now + timedelta(seconds=max(delay, 0)),
            unique_key=f"{kind}:{target_id}" if unique else None,
        )
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            before = Job.objects.filter(unique_key=row.unique_key).first() if unique else None
            if before is not None:
                return before
            if not unique:
                raise
            continue  # The other one ended meanwhile.
        if delay <= 0:
            transaction.on_commit(partial(delivery.send_later, row.pk), robust=True)
        return row


def cancel(job_id: UUID) -> bool:
    """End a job that has not ended. One that runs notices at its next progress; what it has done by then stays."""
    ended = Job.objects.filter(pk=job_id, state__in=Job.UNFINISHED).update(
        state=Job.State.CANCELLED, finished_at=clock.now(), unique_key=None, lease_until=None
    )
    return bool(ended)


def retry(job_id: UUID) -> bool:
    """Have a failed or cancelled job run again, with all its attempts."""
    again = Job.objects.filter(pk=job_id, state__in=[Job.State.FAILED, Job.State.CANCELLED]).update(
        state=Job.State.WAITING,
        attempts=0,
        error="",
        result=None,
        finished_at=None,
        process_id=None,
        not_before=clock.now(),
        delivered_at=None,
    )
    return bool(again)
