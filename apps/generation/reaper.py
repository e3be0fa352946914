"""Runs that nobody drives any more: graphs go on from their rows; of others the text so far is kept and the end is written."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db import Error as DatabaseError
from django.db.models import Exists, OuterRef, Q

from apps.models import Message, Run, RunStatus
from apps.modes import GRAPH_MODES
from difyproj.infra import db, leases
from difyproj.infra.models import Process
from difyproj.kernel import clock
from difyproj.kernel.errors import WorkerLost
from workflows.engine.events import TERMINAL, RunEvent, RunFailed, TextChunk, TextReplaced

from . import graph_resume, live, places, queued
from .log import event_log
from .recorder import save_end

logger = logging.getLogger("dify.api")

# A run of this process that the pump does not know after so long was never started, or its end could not be written.
FORGOTTEN_SECONDS = 15.0


async def reap() -> int:
    """Take over the runs of every dead process and those that nobody has; the number of runs that were ended."""
    ended = 0
    for process_id in await db.run(leases.dead_processes):
        if not await db.run(leases.take_over, process_id):
            continue
        runs = await db.run(_running, process_id)
        done = [await _take(run) for run in runs]
        ended += done.count(True)
        if None not in done:
            await db.run(leases.forget, process_id)
    for run in await db.run(_nobodys):
        if not live.has(run.pk):
            ended += await _take(run) or 0
    return ended


def _running(process_id: UUID) -> list[Run]:
    rows = Run.objects.filter(process_id=process_id, status=RunStatus.RUNNING)
    return list(rows.select_related("message"))


def _nobodys() -> list[Run]:
    """Running runs without a process, but those that a worker may still take, and runs of this process that are old enough to
    be known to the pump."""
    orphaned = ~Exists(Process.objects.filter(pk=OuterRef("process_id")))
    old = Q(process_id=leases.mine(), created_at__lt=clock.now() - timedelta(seconds=FORGOTTEN_SECONDS))
    rows = Run.objects.filter(orphaned | old, status=RunStatus.RUNNING).select_related("message")
    told = queued.offered(run.pk for run in rows if run.process_id is None)
    return [run for run in rows if run.pk not in told and not live.has(run.pk)]


async def _take(run: Run) -> bool | None:
    """Graphs begin or go on from their rows, other runs end. None when that has to be tried again."""
    if run.mode not in GRAPH_MODES:
        return await _end(run)
    try:
        if queued.is_waiting(run):
            await db.run(graph_resume.take, run.pk)
        else:
            await db.run(graph_resume.take_over, run.pk, run.process_id)
    except DatabaseError as error:
        logger.warning("An orphaned run cannot go on yet: %s", error, extra={"run_id": str(run.pk)})
        return None
    return False


async def _end(run: Run) -> bool | None:
    """Complete the rows from what the event log still has, then end the run. None when that has to be tried again."""
    events = await event_log().read_all(run.pk)
    message: Message | None = getattr(run, "message", None)
    answer = best_text(events, kept=message.answer if message else "", kept_id=run.last_event_id)
    latest = message.updated_at if message else run.created_at
    end = RunFailed(
        code=WorkerLost.code,
        status=WorkerLost.status,
        message=WorkerLost.default_message,
        answer=answer,
        elapsed_time=max(0.0, (latest - run.created_at).total_seconds()),
    )
    end_id = max([run.reserved_event_id, *(number for number, _ in events)]) + 2
    try:
        ended = await db.run(save_end, run.pk, message.pk if message else run.pk, answer, end, end_id, clock.now())
        await db.run(places.give, run.app_id, run.pk, run.process_id)
    except DatabaseError as error:
        logger.warning("An orphaned run could not be ended yet: %s", error, extra={"run_id": str(run.pk)})
        return None
    if ended and events and not isinstance(events[-1][1], TERMINAL):
        event_log().append(run.pk, end_id - 1, [TextReplaced(answer, reason="resumed"), end])
        event_log().close(run.pk)
    if ended:
        logger.warning("Ended an orphaned run", extra={"run_id": str(run.pk), "process_id": str(run.process_id)})
    return ended


def best_text(events: Sequence[tuple[int, RunEvent]], *, kept: str, kept_id: int) -> str:
    """The log's text when it is whole and at least as new as the ``kept`` one, which is that of event ``kept_id``."""
    is_whole = bool(events) and events[0][0] == 1
    newest = max((number for number, event in events if isinstance(event, TextChunk | TextReplaced)), default=0)
    return _text(events) if is_whole and newest >= kept_id else kept


def _text(events: Sequence[tuple[int, RunEvent]]) -> str:
    parts: list[str] = []
    for _, event in events:
        if isinstance(event, TextReplaced):
            parts = [event.text]
        elif isinstance(event, TextChunk):
            parts.append(event.text)
    return "".join(parts)
