"""What a serving process does beside answering: its heartbeat, checkpoints of long answers, the end of orphaned runs."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError

from difyproj.infra import backends, db, egress, leases, loop, sandbox
from difyproj.infra.cache import CacheWatch
from difyproj.infra.jobs.base import stopping
from workflows.services import callbacks

from . import graph_resume, live, places, reaper, service, titles, triggered
from .recorder import checkpointer

logger = logging.getLogger("dify.api")

REAP_SECONDS = 3.0
RENEW_SECONDS = 60.0
SWEEP_SECONDS = 5.0
TICK_SECONDS = 2.0
SWITCH_SECONDS = 0.0005
# When the process is told to end: so long may running answers go on, and so long may it take to keep the ends of the rest.
DRAIN_SECONDS, SETTLE_SECONDS = 8.0, 4.0
# A worker's jobs have ten seconds together.
WORKER_DRAIN_SECONDS = 3.0
LOOK_SECONDS = 0.2
END_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Background:
    """Started with the server, stopped with it; both on its loop."""

    def __init__(self, role: str = leases.WEB) -> None:
        """A worker has a heartbeat already, listens to its own signals, and begins what it is told to."""
        self._serves = role != leases.WORKER
        self._heartbeat = leases.Heartbeat(db.run_ahead, role, on_lost=self._abandon)
        self._caches = CacheWatch(db.run)
        self._tasks: list[asyncio.Task[None]] = []
        self._draining: asyncio.Task[None] | None = None
        self._signals: dict[signal.Signals, Any] = {}

    async def start(self) -> None:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        if self._serves:
            tune_interpreter()
            loop.bind()
            await self._heartbeat.start()
        backends.get_control().subscribe(service.STOP_TOPIC, service.hear_stop)
        steady: tuple[tuple[Callable[[], Awaitable[object]], float], ...] = (
            (reaper.reap, REAP_SECONDS),
            (_renew_slots, RENEW_SECONDS),
            (_go_on_answered, SWEEP_SECONDS),
        )
        if self._serves:
            steady += (
                (_go_on_forgotten, RENEW_SECONDS),
                (_begin_due, TICK_SECONDS),
                (_tell_ended, TICK_SECONDS),
                (checkpointer.save_grown, settings.RUN_CHECKPOINT_SECONDS),
            )
        self._tasks = [loop.spawn(_every(seconds, work), name=work.__name__) for work, seconds in steady]
        await self._caches.start()
        if self._serves:
            self._hear_signals()
        else:
            self._tasks.append(loop.spawn(self._hear_end(), name="hear-end"))

    async def stop(self) -> None:
        """Let running answers end for a moment, end the rest with what they have, then give everything back."""
        self._forget_signals()
        await self._drain()
        await asyncio.gather(*(loop.end(task) for task in self._tasks))
        await titles.settle(SETTLE_SECONDS)
        await self._caches.stop()
        await self._heartbeat.stop()
        await sandbox.aclose()
        await backends.aclose()
        await egress.close_all()

    def _abandon(self) -> None:
        """Another process ended this one's runs: stop working on them."""
        for run in live.all_runs():
            run.interrupt()

    async def _drain(self) -> None:
        if self._draining is None:
            seconds = DRAIN_SECONDS if self._serves else WORKER_DRAIN_SECONDS
            self._draining = loop.spawn(_drain(seconds), name="drain")
        await self._draining

    async def _hear_end(self) -> None:
        """A worker is told to end: its runs drain while its jobs come to an end."""
        while not stopping.is_set():  # noqa: ASYNC110  set by a signal's handler, on no loop
            await asyncio.sleep(LOOK_SECONDS)
        await self._drain()

    def _hear_signals(self) -> None:
        """The server first waits for its connections, and they for their answers: draining begins with the signal."""
        if threading.current_thread() is not threading.main_thread():
            return
        running = asyncio.get_running_loop()

        def hear(number: int, frame: FrameType | None) -> None:
            if not running.is_closed():
                running.call_soon_threadsafe(lambda: loop.spawn(self._drain(), name="drain-on-signal"))
            before = self._signals.get(signal.Signals(number))
            if callable(before):
                before(number, frame)

        self._signals = {number: signal.signal(number, hear) for number in END_SIGNALS}

    def _forget_signals(self) -> None:
        for number, before in self._signals.items():
            signal.signal(number, before)
        self._signals = {}


async def _every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """At once, then again and again; whatever goes wrong in one round does not end the rounds."""
    while True:
        round_ = asyncio.ensure_future(work())
        try:
            await asyncio.wait((round_,))
        finally:
            round_.cancel()
        if not round_.cancelled() and (error := round_.exception()) is not None:
            expected = isinstance(error, DatabaseError | OSError)
            logger.warning("Background work failed and is tried again: %s", error, exc_info=None if expected else error)
        await asyncio.sleep(seconds)


async def _renew_slots() -> None:
    await db.run(places.renew, live.all_runs())


async def _go_on_answered() -> None:
    await db.run(graph_resume.sweep)


async def _go_on_forgotten() -> None:
    await db.run(graph_resume.sweep_all)


async def _begin_due() -> None:
    await db.run(triggered.tick)


async def _tell_ended() -> None:
    await db.run(callbacks.hand_over)


async def _drain(seconds: float) -> None:
    """Running answers may end for a moment, also those that began meanwhile; then the rest ends with what it has."""
    if await _ended(seconds):
        return
    for run in live.all_runs():
        run.interrupt()
    if not await _ended(SETTLE_SECONDS):
        logger.error("The ends of %d runs could not be kept; the next process does that.", len(live.all_runs()))


async def _ended(seconds: float) -> bool:
    """Wait until no run is left, at most ``seconds``."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (left := deadline - asyncio.get_running_loop().time()) > 0:
        tasks = [run.task for run in live.all_runs() if run.task is not None]
        if not tasks:
            return True
        await asyncio.wait(tasks, timeout=left)
    return not live.all_runs()


def tune_interpreter() -> None:
    """What the start made stays: no collection looks at it again, and full ones, which stop every stream, get rare. And a
    database thread gives way to the loop after half a millisecond instead of five: that is a stream's time to first event."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 25, 50)
    sys.setswitchinterval(SWITCH_SECONDS)
