"""The bounded database pool: a few threads that own the persistent connections, for asynchronous code.

A stream holds neither a thread nor a connection while it waits: it comes here for each short piece of row work. Heartbeats and
checkpoints have a thread of their own: however many requests queue, a busy process is not taken for dead.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import select
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Lock, local
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import DataError, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

P = ParamSpec("P")
T = TypeVar("T")

logger = logging.getLogger(__name__)

IDLE_CHECK_SECONDS = 5.0
# The class of PostgreSQL's errors for what is larger than it can hold; they come as OperationalError, like a lost connection.
TOO_LARGE = "54"
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0

_lock = Lock()
_pool: ThreadPoolExecutor | None = None
_lane: ThreadPoolExecutor | None = None
_thread = local()


def pool() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(settings.DB_THREADS, thread_name_prefix="db")
        return _pool


def lane() -> ThreadPoolExecutor:
    """The one thread that never stands behind requests."""
    global _lane
    with _lock:
        if _lane is None:
            _lane = ThreadPoolExecutor(1, thread_name_prefix="db_ahead")
        return _lane


async def run(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """``function(*args, **kwargs)`` in a thread of the pool, with this task's context variables."""
    context = contextvars.copy_context()
    call = partial(context.run, _with_healthy_connections, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_pool or pool(), call)


async def run_ahead(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Like ``run``, without a queue: for the few things that keep the process itself going."""
    call = partial(_with_healthy_connections, function, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_lane or lane(), call)


async def run_persistently(seconds: float, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Like ``run``, again and again for ``seconds`` while the database is away; ``function`` must be safe to run twice."""
    return await persistently(seconds, lambda: run(function, *args, **kwargs))


async def persistently(seconds: float, work: Callable[[], Awaitable[T]]) -> T:
    """``work()``, again and again for ``seconds`` while the database is away. Raises DataError for what it will never take."""
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE_SECONDS
    while True:
        try:
            return await work()
        except (OperationalError, InterfaceError) as error:
            if str(getattr(error.__cause__, "sqlstate", None)).startswith(TOO_LARGE):
                raise DataError(str(error)) from error
            if time.monotonic() + pause > deadline:
                raise
            logger.warning("The database is away, its work is tried again: %s", error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


def _with_healthy_connections(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    now = time.monotonic()
    idle = now - getattr(_thread, "last_used", now)
    for connection in connections.all(initialized_only=True):
        _close_if_lost(connection, idle)
    try:
        return function(*args, **kwargs)
    finally:
        _thread.last_used = time.monotonic()


def _close_if_lost(connection: BaseDatabaseWrapper, idle: float) -> None:
    """A connection that the server ended has something to read, which costs no round trip to see."""
    connection.close_if_unusable_or_obsolete()
    raw = connection.connection
    if raw is None or connection.vendor != "postgresql":
        return
    if (idle > IDLE_CHECK_SECONDS or raw.closed or _has_news(raw.fileno())) and not connection.is_usable():
        connection.close()
    # Django would ask SELECT 1 before every piece of work.
    connection.health_check_done = True  # type: ignore[attr-defined]


def _has_news(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def shutdown() -> None:
    """End all these threads after their present work; each closes its own connections."""
    global _pool, _lane
    with _lock:
        ending = [executor for executor in (_pool, _lane) if executor is not None]
        _pool = _lane = None
    for executor in ending:
        for _ in range(executor._max_workers):
            executor.submit(_close_connections)
        executor.shutdown(wait=True)


def _close_connections() -> None:
    connections.close_all()
    time.sleep(0.01)
