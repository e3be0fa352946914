"""Runs that no process has yet: rows that wait for one. Workers are told of those of theirs by a job; a web process takes
what is meant for it, and what no worker has taken in time.

A row waits when it runs, has no process, and no event above its last one was promised.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from enum import Enum
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q

from apps.models import Run, RunStatus
from difyproj.infra import jobs, leases
from difyproj.infra.models import Job
from difyproj.kernel import clock

KIND: Final = "apps.run"
# So long may a run wait for a worker before a web process takes it: there may be none, or all are busy.
PATIENCE: Final = timedelta(seconds=20)
WAITING: Final = Q(status=RunStatus.RUNNING, process_id=None, reserved_event_id=F("last_event_id"))


class Place(Enum):
    """Where a run is executed: in this process, by a worker, by a web process."""

    HERE = "here"
    WORKER = "worker"
    WEB = "web"


def place_of(*, in_background: bool) -> Place:
    """Where processes share no store, one web process has every run; else workers have what runs in the background."""
    is_worker = leases.role() == leases.WORKER
    if settings.BACKGROUND_RUNS == "web":
        return Place.WEB if is_worker else Place.HERE
    return Place.WORKER if in_background and not is_worker else Place.HERE


def owner_in(place: Place) -> UUID | None:
    return leases.mine() if place is Place.HERE else None


def tell(run_id: UUID, tenant_id: UUID, place: Place) -> None:
    """Have a worker told that the run waits, when the present transaction is committed. Web processes look by themselves."""
    if place is Place.WORKER:
        jobs.enqueue(KIND, run_id, tenant_id=tenant_id, unique=True)


def is_waiting(run: Run) -> bool:
    return run.status == RunStatus.RUNNING and run.process_id is None and run.reserved_event_id == run.last_event_id


def offered(run_ids: Iterable[UUID]) -> set[UUID]:
    """Those that a worker was told of so lately that it may still come."""
    keys = {f"{KIND}:{run_id}": run_id for run_id in run_ids}
    told = Job.objects.filter(unique_key__in=keys, created_at__gt=clock.now() - PATIENCE)
    return {keys[str(key)] for key in told.values_list("unique_key", flat=True)}
