"""What of a run is kept in rows: its question before the first token, long answers now and then, its end at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection, transaction

from apps.models import Message, Run, RunStatus
from difyproj.infra import db
from difyproj.infra.inserts import storable, update
from difyproj.kernel import clock
from workflows.engine.events import RunEvent, RunFailed, RunFinished, Usage

from . import live, replay, wire
from .live import RESERVED_BLOCK, LiveRun

RESERVE_MARGIN = RESERVED_BLOCK // 2


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One run's text so far and the event that it belongs to."""

    run: LiveRun
    answer: str
    event_id: int
    reserved_event_id: int


class Checkpointer:
    """Every ``RUN_CHECKPOINT_SECONDS`` saves the texts of this process's runs that grew, all in one transaction."""

    def __init__(self) -> None:
        self._saving: asyncio.Future[None] | None = None
        self._in_flight: frozenset[LiveRun] = frozenset()

    async def save_grown(self) -> None:
        """One round."""
        await self.save([run for run in live.all_runs() if run.is_dirty])

    async def save(self, runs: Sequence[LiveRun]) -> None:
        if not runs:
            return
        while self._saving is not None:
            await asyncio.shield(self._saving)
        batch = [_checkpoint(run) for run in runs]
        self._in_flight = frozenset(runs)
        self._saving = asyncio.get_running_loop().create_future()
        try:
            await db.run_ahead(save_checkpoints, batch, clock.now())
            for item in batch:
                item.run.saved_event_id = item.event_id
                item.run.reserved_event_id = item.reserved_event_id
        finally:
            self._saving.set_result(None)
            self._saving, self._in_flight = None, frozenset()

    async def settled(self, run: LiveRun) -> None:
        """Wait until no checkpoint of ``run`` is being written, so that its end is not overwritten by an older text."""
        if self._saving is not None and run in self._in_flight:
            await asyncio.shield(self._saving)


checkpointer = Checkpointer()


def _checkpoint(run: LiveRun) -> Checkpoint:
    reserved = run.reserved_event_id
    if run.next_event_id + RESERVE_MARGIN > reserved:
        reserved += RESERVED_BLOCK
    return Checkpoint(run, storable(run.state.answer), run.text_event_id, reserved)


async def reserve(run: LiveRun) -> None:
    """Promise more event ids in the run's row, before one that is not promised is shown."""
    if run.ledger is not None:
        await _promise(run)
        return
    await db.persistently(settings.APP_MAX_EXECUTION_TIME, lambda: checkpointer.save([run]))


async def _promise(run: LiveRun) -> None:
    """The same for a graph's run, whose text is not kept until a node ends."""
    promised = run.reserved_event_id + RESERVED_BLOCK
    rows = Run.objects.filter(pk=run.reply.run_id, status=RunStatus.RUNNING)
    await db.run_persistently(settings.APP_MAX_EXECUTION_TIME, rows.update, reserved_event_id=promised)
    run.reserved_event_id = promised


def save_checkpoints(batch: Sequence[Checkpoint], moment: datetime) -> None:
    """One statement per table for the whole batch. A run that is no longer running keeps its rows as they are."""
    updated_at = connection.ops.adapt_datetimefield_value(moment)
    message_pk, run_pk = Message._meta.pk, Run._meta.pk
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE apps_run SET last_event_id = %s, reserved_event_id = %s WHERE id = %s AND status = 'running'",
            [
                (item.event_id, item.reserved_event_id, run_pk.get_db_prep_value(item.run.reply.run_id, connection))
                for item in batch
            ],
        )
        cursor.executemany(
            "UPDATE apps_message SET answer = %s, updated_at = %s WHERE id = %s AND EXISTS "
            "(SELECT 1 FROM apps_run WHERE apps_run.id = apps_message.run_id AND apps_run.status = 'running')",
            [(item.answer, updated_at, message_pk.get_db_prep_value(item.run.reply.message_id, connection)) for item in batch],
        )


STATUS = {
    "succeeded": RunStatus.SUCCEEDED,
    "stopped": RunStatus.STOPPED,
    "partial-succeeded": RunStatus.PARTIAL_SUCCEEDED,
}


Kept = tuple[int, Sequence[RunEvent]] | None


async def finish(run: LiveRun, end: RunFinished | RunFailed, *, then: Callable[[], object]) -> Kept:
    """Keep the run's end, before any reader sees it, however long the database is away; ``then`` follows in the same thread.

    None when it is kept. When somebody else ended the run before: that end's events and the id of the first one.
    """

    message_id = run.reply.message_id
    assert message_id is not None

    def work() -> bool:
        kept = save_end(run.reply.run_id, message_id, run.state.answer, end, run.next_event_id, moment)
        then()
        return kept

    await checkpointer.settled(run)
    seconds, moment = settings.APP_MAX_EXECUTION_TIME, clock.now()
    if await db.run_persistently(seconds, work):
        return None
    kept = await db.run_persistently(seconds, _kept_end, run.reply.run_id)
    return kept[0][0], [event for _, event in kept]


def bare(end: RunFinished | RunFailed) -> RunFinished | RunFailed:
    """How and when the run ended and what it said, without all that a provider may have put into the rest."""
    if isinstance(end, RunFailed):
        return msgspec.structs.replace(end, usage=Usage())
    return msgspec.structs.replace(end, usage=Usage(), metadata={}, outputs={})


def _kept_end(run_id: UUID) -> list[tuple[int, RunEvent]]:
    row = Run.objects.select_related("message").get(pk=run_id)
    return replay.events(row, row.message, after=1)


def save_end(
    run_id: UUID, message_id: UUID, answer: str, end: RunFinished | RunFailed, event_id: int, moment: datetime
) -> bool:
    """Write the end of a running run once; False when somebody else ended it before. Safe to repeat with the same values."""
    outcome: dict[str, Any] = {"last_event_id": event_id, "finished_at": moment, "elapsed_time": end.elapsed_time}
    outcome["total_tokens"] = end.usage.total_tokens
    if isinstance(end, RunFailed):
        outcome |= {
            "status": RunStatus.FAILED,
            "error": storable(end.message),
            "error_code": end.code,
            "error_status": end.status,
        }
    else:
        outcome["status"] = STATUS[end.status]
    with transaction.atomic():
        if not update(Run, run_id, outcome, status=RunStatus.RUNNING):
            return Run.objects.filter(pk=run_id, last_event_id=event_id, finished_at=moment).exists()
        update(Message, message_id, {**message_outcome(storable(answer), end), "updated_at": moment})
    return True


def message_outcome(answer: str, end: RunFinished | RunFailed) -> dict[str, Any]:
    usage = end.usage
    failed = isinstance(end, RunFailed)
    metadata: dict[str, Any] = {"usage": wire.usage_record(usage)} if isinstance(end, RunFailed) else wire.metadata(end)
    if isinstance(end, RunFinished) and end.finish_reason:
        metadata[replay.FINISH_REASON] = storable(end.finish_reason)
    return {
        "answer": answer,
        "status": "error" if failed else "normal",
        "error": storable(end.message) if isinstance(end, RunFailed) else None,
        "metadata": metadata,
        "message_tokens": usage.prompt_tokens,
        "answer_tokens": usage.completion_tokens,
        "total_price": Decimal(usage.total_price),
        "currency": usage.currency,
        "latency": usage.latency or end.elapsed_time,
    }
