"""A worker process: Celery's consumer with a few threads, and beside it one thread for leases, lost jobs and what is due."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from threading import Event, Thread, Timer
from types import FrameType
from typing import Any

from celery.worker import state
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections

from difyproj.infra import leases

from .base import at_end, stopping
from .engine import app
from .sweep import renew_leases, sweep

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
# After the signal, jobs may come to an end or give themselves back for so long; what is left then is cut off.
GRACE_SECONDS = 10.0
LATE = 75  # EX_TEMPFAIL


def work(*, threads: int | None = None, parent: int | None = None) -> int:
    """Run jobs until SIGTERM or SIGINT; the exit code. ``parent`` is a pipe whose other end the parent holds: without a
    parent there is nothing to work for."""
    count = threads or settings.TASK_THREADS
    worker = app.WorkController(
        app=app, pool="threads", concurrency=count, without_gossip=True, without_mingle=True, without_heartbeat=True
    )
    _hear_signals(supervised=parent is not None)
    if parent is not None:
        Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()
    leases.register(leases.WORKER)
    connections.close_all()  # This thread asks nothing more before the end.
    duties = Duties()
    duties.start()
    try:
        worker.start()
    finally:
        stopping.set()
        try:
            for give_up in at_end:
                give_up()
        finally:
            duties.stop()
            _sign_off()
    return int(worker.exitcode or 0)


def end() -> None:
    """Take no more jobs, ask the running ones to end or to give themselves back, then end."""
    if stopping.is_set():
        return
    stopping.set()
    state.should_stop = os.EX_OK
    cut_off = Timer(GRACE_SECONDS, os._exit, (LATE,))
    cut_off.daemon = True
    cut_off.start()


class Duties:
    """What a worker does by the clock, on a thread and a database connection of its own."""

    def __init__(self, *, sweep_every: float = SWEEP_SECONDS, beat_every: float = leases.BEAT_SECONDS) -> None:
        self._sweep_every, self._beat_every = sweep_every, beat_every
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="duties", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        """Should this ever break, the worker ends: without leases its jobs would be run by others too."""
        try:
            self._go_round()
        finally:
            connections.close_all()
            if not self._stopped.is_set():
                logger.critical("The worker's duties broke; it ends.")
                end()

    def _go_round(self) -> None:
        since_beat = 0.0
        while not self._stopped.wait(self._sweep_every):
            since_beat += self._sweep_every
            if since_beat >= self._beat_every:
                since_beat = 0.0
                self._try(_beat)
            self._try(sweep)

    def _try(self, duty: Callable[[], Any]) -> None:
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
        try:
            duty()
        except (DatabaseError, OSError) as error:
            logger.warning("A worker's duty failed and is tried again: %s", error)


def _beat() -> None:
    """Renewed first: the jobs are this process's own also when it was taken for dead meanwhile."""
    renew_leases()
    if not leases.beat():
        logger.error("Another process took this worker for dead; it registers anew, and its jobs are run again.")
        leases.register(leases.WORKER)


def _sign_off() -> None:
    try:
        leases.stop()
    except DatabaseError as error:
        logger.warning("The worker ends without saying so; its lease runs out: %s", error)


def _hear_signals(*, supervised: bool) -> None:
    """A supervised worker leaves Ctrl-C to its parent."""

    def hear(number: int, frame: FrameType | None) -> None:
        end()

    signal.signal(signal.SIGTERM, hear)
    signal.signal(signal.SIGINT, signal.SIG_IGN if supervised else hear)


def _watch(parent: int) -> None:
    """The pipe ends when the parent does, however it does."""
    while os.read(parent, 1):
        continue
    end()
