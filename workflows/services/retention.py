"""What is forgotten of runs once nobody will ask for it: in small batches with rests, so that runs going on hardly notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from apps.models import App, Run, RunStatus
from difyproj.kernel import clock
from workflows.models import NodeExecution, RunEventRow, WorkflowRun

RUNS_AT_ONCE: Final = 100
ROWS_AT_ONCE: Final = 500
LONGEST_REST: Final = 0.03
UNFINISHED: Final = (RunStatus.RUNNING, RunStatus.PAUSED)


def forget_boundaries() -> int:
    """Boundary events of runs from before ``RUN_EVENT_RETENTION_DAYS``: nobody reads their streams again."""
    before = clock.now() - timedelta(days=settings.RUN_EVENT_RETENTION_DAYS)
    return _delete(RunEventRow.objects.filter(run__created_at__lt=before).exclude(run__status__in=UNFINISHED))


def forget_runs() -> int:
    """Runs older than ``WORKFLOW_LOG_RETENTION_DAYS`` with their traces; 0 keeps them. What still waits for people stays."""
    before = _log_limit()
    apps = App.objects.values_list("pk", flat=True) if before else ()
    return sum(_forget(batch) for app_id in list(apps) for batch in _ended(app_id, before))


def forget_single_steps() -> int:
    """Nodes that were tried alone, as old as that."""
    before = _log_limit()
    return _delete(NodeExecution.objects.filter(run__isnull=True, created_at__lt=before)) if before else 0


FORGET: dict[str, Callable[[], int]] = {
    "run_events": forget_boundaries,
    "runs": forget_runs,
    "single_steps": forget_single_steps,
}


def _log_limit() -> datetime | None:
    days = settings.WORKFLOW_LOG_RETENTION_DAYS
    return clock.now() - timedelta(days=days) if days else None


def _ended(app_id: UUID, before: datetime | None) -> Iterator[list[UUID]]:
    """The ids of the app's runs from before that moment that are over, oldest first; each batch once, whatever became of it.

    A batch has about as many steps as rows may go at once, and at least one run.
    """
    rows = WorkflowRun.objects.filter(app_id=app_id, created_at__lt=before).exclude(run__status__in=UNFINISHED)
    rows, after = rows.order_by("created_at", "run_id"), Q()
    while found := list(rows.filter(after).values_list("created_at", "run_id", "total_steps")[:RUNS_AT_ONCE]):
        totals = accumulate(steps for _, _, steps in found)
        batch = found[: max(1, sum(total <= ROWS_AT_ONCE for total in totals))]
        yield [run_id for _, run_id, _ in batch]
        moment, last, _ = batch[-1]
        after = Q(created_at__gte=moment) & (Q(created_at__gt=moment) | Q(run_id__gt=last))


def _forget(run_ids: list[UUID]) -> int:
    """What hangs on the runs goes with them; messages of chatflows stay, without their runs."""
    with _resting(), transaction.atomic():
        return Run.objects.filter(pk__in=run_ids).delete()[0]


def _delete(rows: QuerySet[Any]) -> int:
    deleted = 0
    while batch := list(rows.order_by().values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        with _resting():
            deleted += rows.model._default_manager.filter(pk__in=batch).delete()[0]
        if len(batch) < ROWS_AT_ONCE:
            break
    return deleted


@contextmanager
def _resting() -> Iterator[None]:
    """Afterwards the database is left to others twice as long as that took, within reason."""
    began = clock.monotonic()
    yield
    time.sleep(min(LONGEST_REST, 2 * (clock.monotonic() - began)))
