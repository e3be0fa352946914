"""Running a job: claim its row, do the work, write its end. Each step is an UPDATE that only works on the row as read."""

from __future__ import annotations

import logging
from contextvars import copy_context
from datetime import timedelta
from threading import Lock
from typing import Any
from uuid import UUID

from django.db.models import F

from difyproj.infra import audit, leases
from difyproj.infra.models import Job as Row
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import DomainError
from difyproj.kernel.principal import ActorKind
from difyproj.kernel.registry import UnknownEntry

from .base import Interrupted, Job, LeaseLost, Retry
from .registry import JOBS

logger = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
LONGEST_ERROR = 2_000
State = Row.State
# The holder of what a process without heartbeat runs (a test, a command).
_without_process = ids.new_id()
_lock = Lock()
# Job and holder of each attempt that is under way in this process.
_under_way: set[tuple[UUID, UUID]] = set()


def holder() -> UUID:
    """Whose name stands on the rows that this process runs."""
    return leases.mine() or _without_process


def under_way() -> set[tuple[UUID, UUID]]:
    """The jobs that this process is running, and in whose name."""
    with _lock:
        return set(_under_way)


def run_job(job_id: UUID) -> bool:
    """Run one job, if it waits and its time has come. False when there was nothing to do: another has it, or it has ended."""
    row = _claim(job_id)
    if row is None or row.process_id is None:
        return False
    mark = (row.pk, row.process_id)
    with _lock:
        _under_way.add(mark)
    try:
        copy_context().run(_run, row)
    finally:
        with _lock:
            _under_way.discard(mark)
    return True


def _run(row: Row) -> None:
    """What the job writes is audited as done by who asked for it."""
    audit.begin(ip=None, request_id=f"job {row.pk}")
    audit.identify_as(ActorKind.ACCOUNT if row.created_by_id else "system", row.created_by_id, row.tenant_id)
    try:
        job = JOBS.get(row.kind)(row)
    except (UnknownEntry, TypeError, ImportError) as error:
        logger.error("A job cannot be loaded.", exc_info=error, extra={"job_id": str(row.pk), "kind": row.kind})
        _own(row).update(**_ended(State.FAILED), error=_shown(f"{type(error).__name__}: {error}"))
        return
    _attempt(job)


def run_waiting(*kinds: str, due_only: bool = True) -> int:
    """Run here and now what waits (of these kinds), also what that enqueues; how many attempts were made.

    For tests, and for an instance without a worker. ``due_only=False`` does not wait for delays and pauses.
    """
    made = 0
    while True:
        waiting = Row.objects.filter(state=State.WAITING).order_by("created_at")
        waiting = waiting.filter(kind__in=kinds) if kinds else waiting
        if not due_only:
            waiting.update(not_before=clock.now())
        waiting = waiting.filter(not_before__lte=clock.now())
        job_ids = list(waiting.values_list("pk", flat=True)[:100])
        if not job_ids:
            return made
        made += sum(run_job(job_id) for job_id in job_ids)


def _claim(job_id: UUID) -> Row | None:
    now = clock.now()
    free = Row.objects.filter(pk=job_id, state=State.WAITING, not_before__lte=now)
    row = free.first()
    if row is None:
        return None
    mine: dict[str, Any] = {
        "state": State.RUNNING,
        "process_id": holder(),
        "lease_until": now + timedelta(seconds=LEASE_SECONDS),
        "started_at": now,
        "max_attempts": _max_attempts(row.kind),
    }
    if not free.filter(attempts=row.attempts).update(attempts=F("attempts") + 1, **mine):
        return None
    row.attempts += 1
    for name, value in mine.items():
        setattr(row, name, value)
    return row


def _max_attempts(kind: str) -> int:
    try:
        return JOBS.get(kind).max_attempts
    except (UnknownEntry, TypeError, ImportError):
        return 1


def _attempt(job: Job) -> None:
    """Whatever the job raises stays here, at the boundary of the job, and becomes its row's error."""
    about = {"job_id": str(job.id), "kind": job.kind}
    try:
        _succeed(job, job.run())
    except Interrupted:
        _back_to_the_queue(job)
    except LeaseLost as error:
        logger.info("A job is not this worker's any more: %s", type(error).__name__, extra=about)
    except Retry as error:
        _again_or_fail(job, str(error), error.after)
    except DomainError as error:
        _fail(job, error.message)
    except job.retryable as error:
        logger.warning("A job's attempt failed: %s", error, extra=about)
        _again_or_fail(job, f"{type(error).__name__}: {error}", None)
    except Exception as error:
        logger.error("A job failed.", exc_info=error, extra=about)
        _fail(job, f"Unexpected {type(error).__name__}; the worker's log says more.")


def _succeed(job: Job, result: Any) -> None:
    done, total = job.said
    if not job.own_row().update(**_ended(State.SUCCEEDED), error="", result=result, progress_done=done, progress_total=total):
        logger.info("A job's end came too late: it was cancelled or taken over.", extra={"job_id": str(job.id)})


def _again_or_fail(job: Job, error: str, after: float | None) -> None:
    if job.attempt >= job.max_attempts:
        _fail(job, error)
        return
    pause = job.pause(job.attempt) if after is None else after
    job.own_row().update(**_waiting(pause), error=_shown(error))


def _back_to_the_queue(job: Job) -> None:
    job.own_row().update(**_waiting(0), attempts=F("attempts") - 1)


def _fail(job: Job, error: str) -> None:
    job.own_row().update(**_ended(State.FAILED), error=_shown(error))


def _waiting(pause: float) -> dict[str, Any]:
    return {
        "state": State.WAITING,
        "not_before": clock.now() + timedelta(seconds=pause),
        "process_id": None,
        "lease_until": None,
        "delivered_at": None,
    }


def _ended(state: str) -> dict[str, Any]:
    return {"state": state, "finished_at": clock.now(), "unique_key": None, "lease_until": None}


def _own(row: Row) -> Any:
    return Row.objects.filter(pk=row.pk, state=State.RUNNING, attempts=row.attempts, process_id=row.process_id)


def _shown(error: str) -> str:
    return error.replace("\0", "")[:LONGEST_ERROR]
