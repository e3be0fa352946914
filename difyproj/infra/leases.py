"""Leases: one heartbeat row per process. Who is silent for 15 s is dead, and exactly one other process looks after its work."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import models

from difyproj.kernel import clock
from difyproj.kernel.ids import new_id

from . import this_host
from .loop import end
from .models import Process

logger = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
DEAD_SECONDS = 15.0
# Twice the time to beat without an own heartbeat: not the others are silent, this process hears nothing.
CUT_OFF_SECONDS = 10.0
# An heir that has not finished by then is taken to be dead itself.
CLAIM_SECONDS = 30.0

WEB, WORKER = "web", "worker"

T = TypeVar("T")
_mine: UUID | None = None
_role = ""
_last_beat = 0.0
_silence_counts_from = 0.0


class Run(Protocol):
    """Runs database work in a thread, as ``infra.db.run`` does."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]: ...


def register(role: str) -> Process:
    """The row of this process, which must ``beat`` from now on."""
    global _mine, _role, _last_beat, _silence_counts_from
    row = Process.objects.create(
        host=this_host.name(),
        pid=os.getpid(),
        started_ticks=this_host.started_ticks(os.getpid()),
        role=role,
        version=getattr(settings, "APP_VERSION", ""),
    )
    _mine, _role, _last_beat, _silence_counts_from = row.pk, role, clock.monotonic(), 0.0
    return row


def mine() -> UUID | None:
    """The id of this process's row; None before ``register``."""
    return _mine


def role() -> str:
    """What this process is; empty before ``register``."""
    return _role


def beat() -> bool:
    """Says that this process lives. False when another one took it for dead: its runs are no longer its own."""
    global _last_beat, _silence_counts_from
    heard = _own().filter(claimed_at=None).update(heartbeat_at=clock.now()) == 1
    now = clock.monotonic()
    if now - _last_beat > CUT_OFF_SECONDS:
        _silence_counts_from = now + DEAD_SECONDS
    _last_beat = now
    return heard


def stop() -> None:
    """Ends this process's lease: what it left may be taken over at once."""
    global _mine, _role
    _own().update(stopped_at=clock.now())
    _mine, _role = None, ""


def dead_processes() -> list[UUID]:
    """Processes that are gone and that nobody looks after."""
    return [row.pk for row in _unclaimed() if _is_dead(row)]


def take_over(process_id: UUID) -> bool:
    """Makes this process the one heir of a dead one. False when it lives after all or another one was quicker.

    1. read the row and judge again; 2. claim it by an UPDATE that only works on the row as it was read.
    """
    row = _unclaimed().filter(pk=process_id).first()
    if row is None or not _is_dead(row):
        return False
    as_read = _unclaimed().filter(pk=process_id, heartbeat_at=row.heartbeat_at, claimed_by=row.claimed_by)
    return as_read.update(claimed_by=_mine or new_id(), claimed_at=clock.now()) == 1


def forget(process_id: UUID) -> None:
    """Nothing is left of the dead process; without this its work is offered again after ``CLAIM_SECONDS``."""
    Process.objects.filter(pk=process_id).exclude(claimed_at=None).delete()


def _unclaimed() -> models.QuerySet[Process]:
    expired = clock.now() - timedelta(seconds=CLAIM_SECONDS)
    free = models.Q(claimed_at=None) | models.Q(claimed_at__lt=expired)
    rows = Process.objects.filter(free).order_by("started_at")
    return rows if _mine is None else rows.exclude(pk=_mine)


def _own() -> models.QuerySet[Process]:
    return Process.objects.none() if _mine is None else Process.objects.filter(pk=_mine, stopped_at=None)


def _is_dead(row: Process) -> bool:
    if row.stopped_at is not None or row.claimed_at is not None:
        return True
    if row.heartbeat_at < clock.now() - timedelta(seconds=DEAD_SECONDS) and not _cut_off():
        return True
    return row.host == this_host.name() and not this_host.is_alive(row.pid, row.started_ticks)


def _cut_off() -> bool:
    """When the database was away, or this machine slept, the others could not be heard: their silence says nothing yet."""
    now = clock.monotonic()
    return _mine is not None and (now - _last_beat > CUT_OFF_SECONDS or now < _silence_counts_from)


class Heartbeat:
    """Registers this process and keeps its row alive in the background."""

    def __init__(
        self, run: Run, role: str, *, every: float = BEAT_SECONDS, on_lost: Callable[[], object] | None = None
    ) -> None:
        """``on_lost`` is called when another process took this one for dead; by then a new row is registered."""
        self._run = run
        self._role = role
        self._every = every
        self._on_lost = on_lost
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> UUID:
        row = await self._run(lambda: register(self._role))
        self._task = asyncio.get_running_loop().create_task(self._beat(), name="heartbeat")
        return row.pk

    async def stop(self) -> None:
        if self._task is None:
            return
        await end(self._task)
        self._task = None
        await self._run(stop)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            try:
                if not await self._run(beat):
                    logger.error("Another process took this one for dead; its runs are no longer its own.")
                    await self._run(lambda: register(self._role))
                    if self._on_lost is not None:
                        self._on_lost()
            except DatabaseError as error:
                logger.warning("The heartbeat could not be written: %s", error)
