"""What keeps rows from waiting for ever: lost workers, lost messages, delays that are over, and work that is due again."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q

from difyproj.infra import this_host
from difyproj.infra.models import Job, Process
from difyproj.kernel import clock

from . import delivery, run
from .queue import enqueue

logger = logging.getLogger(__name__)

# A new job's message is sent when its transaction is committed; only later is it taken for lost.
GRACE_SECONDS = 3.0
# A message that was sent so long ago may be lost. Sent twice does no harm.
RESEND_SECONDS = 300.0
# A worker that has nothing to do waits no longer: a killed one may have taken the message with it.
IDLE_RESEND_SECONDS = 10.0
BATCH = 100
LOST = "The worker that ran it stopped."


def sweep() -> None:
    release_lost()
    send_due()
    enqueue_periodic()


def renew_leases() -> None:
    """The jobs that this process really runs stay its own; one whose end could not be written is released in time."""
    for job_id, holder in run.under_way():
        own = Job.objects.filter(pk=job_id, state=Job.State.RUNNING, process_id=holder)
        own.update(lease_until=_in(run.LEASE_SECONDS))


def release_lost() -> int:
    """Jobs whose worker is gone wait again, or fail when they have used up their attempts; how many there were."""
    own = {job_id for job_id, _ in run.under_way()}
    running = [row for row in Job.objects.filter(state=Job.State.RUNNING) if row.pk not in own]
    gone = _gone_from_this_machine({row.process_id for row in running if row.process_id})
    lost = [row for row in running if row.lease_until is None or row.lease_until < clock.now() or row.process_id in gone]
    return sum(_release(row) for row in lost)


def send_due() -> int:
    """Tell the task engine of rows that wait and that nobody told it of; how many."""
    now = clock.now()
    patience = RESEND_SECONDS if run.under_way() else IDLE_RESEND_SECONDS
    untold = Q(delivered_at=None) & (Q(not_before__gt=F("created_at")) | Q(not_before__lte=_in(-GRACE_SECONDS)))
    due = Job.objects.filter(untold | Q(delivered_at__lt=_in(-patience)), state=Job.State.WAITING, not_before__lte=now)
    sent = 0
    for job_id, delivered_at in list(due.order_by("not_before").values_list("pk", "delivered_at")[:BATCH]):
        as_read = Job.objects.filter(pk=job_id, state=Job.State.WAITING, delivered_at=delivered_at)
        if not as_read.update(delivered_at=now):
            continue
        if not delivery.send(job_id):
            Job.objects.filter(pk=job_id, delivered_at=now).update(delivered_at=delivered_at)
            break
        sent += 1
    return sent


def enqueue_periodic() -> None:
    """Two workers may both find the same kind due at the same moment; periodic jobs do no harm when they run twice."""
    for kind, seconds in settings.PERIODIC_JOBS.items():
        if not Job.objects.filter(kind=kind, created_at__gt=_in(-seconds)).exists():
            enqueue(kind, unique=True)


def _release(row: Job) -> bool:
    as_read = Job.objects.filter(
        pk=row.pk, state=Job.State.RUNNING, attempts=row.attempts, process_id=row.process_id, lease_until=row.lease_until
    )
    if row.attempts < row.max_attempts:
        released = as_read.update(
            state=Job.State.WAITING, error=LOST, not_before=clock.now(), process_id=None, lease_until=None, delivered_at=None
        )
    else:
        released = as_read.update(
            state=Job.State.FAILED, error=LOST, finished_at=clock.now(), unique_key=None, lease_until=None
        )
    if released:
        logger.warning("A job's worker is gone.", extra={"job_id": str(row.pk), "kind": row.kind, "attempt": row.attempts})
    return bool(released)


def _gone_from_this_machine(process_ids: set[UUID]) -> set[UUID]:
    """Processes that can be seen not to run any more, without waiting for their leases."""
    if not process_ids:
        return set()
    rows = Process.objects.filter(pk__in=process_ids)
    here = this_host.name()
    return {row.pk for row in rows if row.host == here and not this_host.is_alive(row.pid, row.started_ticks)}


def _in(seconds: float) -> datetime:
    return clock.now() + timedelta(seconds=seconds)
