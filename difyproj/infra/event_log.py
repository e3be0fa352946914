"""A run's log of numbered events: append, follow from any id, forget some time after the end. Interface and in-memory log.

Everything here happens on one event loop. Event ids are positive and only grow within a run; gaps are allowed.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from difyproj.kernel.clock import monotonic

E = TypeVar("E")

MAX_CLOSED_RUNS = 2_000
MAX_CLOSED_EVENTS = 100_000
MAX_CLOSED_BYTES = 64 * 1024 * 1024
_entry_id = itemgetter(0)


class RunLog(Generic[E]):
    """The entries of one run in this process's memory, and who waits for the next one.

    ``size`` is about that of the entries in bytes, known once the log is closed.
    For a second store: how many entries it has, whether it has the end, and whether it must be told that the run lives.
    """

    __slots__ = ("_waiters", "closed", "end_stored", "entries", "life_due", "size", "stored")

    def __init__(self) -> None:
        self.entries: list[tuple[int, E]] = []
        self.closed = False
        self.stored = 0
        self.size = 0
        self.end_stored = False
        self.life_due = True
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def last_id(self) -> int:
        return self.entries[-1][0] if self.entries else 0

    def extend(self, entries: Iterable[tuple[int, E]]) -> None:
        """``entries`` come in the order of their ids, all above ``last_id``."""
        self.entries.extend(entries)
        self.wake()

    def close(self) -> None:
        self.closed = True
        self.wake()

    def reopen(self) -> None:
        self.closed = self.end_stored = False
        self.life_due = True

    def wake(self) -> None:
        if not self._waiters:
            return
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            _resolve(waiter)

    async def wait(self, seconds: float | None) -> None:
        """Until the next ``wake``, at most ``seconds``."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.add(waiter)
        timer = None if seconds is None else loop.call_later(seconds, _resolve, waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()


class Follower(Generic[E]):
    """One reader's place in a run's log. One task at a time may wait in ``next``."""

    __slots__ = ("_ahead", "_at", "_backlog", "_cancelled", "_log", "_release")

    def __init__(
        self,
        log: RunLog[E],
        after: int,
        *,
        backlog: Sequence[tuple[int, E]] = (),
        release: Callable[[], None] | None = None,
    ) -> None:
        """``backlog`` is delivered before what ``log`` holds; ``release`` is called once, when the reader cancels."""
        self._log = log
        self._at = bisect_right(log.entries, after, key=_entry_id)
        self._ahead = after if after > log.last_id else 0
        self._backlog = backlog
        self._cancelled = False
        self._release = release

    @property
    def finished(self) -> bool:
        """True once the log is closed and everything was read, or the reader cancelled."""
        return self._cancelled or (self._log.closed and self._at == len(self._log.entries) and not self._backlog)

    async def next(self, seconds: float | None = None) -> Sequence[tuple[int, E]]:
        """Every entry not yet seen, as soon as there is one; empty when ``seconds`` are over and at the end.

        A reader that started ahead of the log may get an empty answer sooner.
        """
        if (entries := self._take()) or self.finished:
            return entries
        await self._log.wait(seconds)
        return self._take()

    def poke(self) -> None:
        """A waiting ``next`` returns with what there is."""
        self._log.wake()

    def cancel(self) -> None:
        """Reads no more; a waiting ``next`` returns. Safe to call twice."""
        if self._cancelled:
            return
        self._cancelled = True
        self._log.wake()
        if self._release is not None:
            self._release()

    def _take(self) -> Sequence[tuple[int, E]]:
        if self._cancelled:
            return ()
        entries: Sequence[tuple[int, E]] = ()
        if self._backlog:
            entries, self._backlog = self._backlog, ()
        held = self._log.entries
        if self._ahead:
            self._at = bisect_right(held, self._ahead, key=_entry_id)
            self._ahead = self._ahead if self._ahead > self._log.last_id else 0
        if self._at < len(held):
            entries = [*entries, *held[self._at :]]
            self._at = len(held)
        return entries


class EventLog(Protocol[E]):
    """One writer per run appends; any number of readers follow."""

    def open(self, run_id: UUID) -> None:
        """Announces a run that this process will append to, so that readers may follow before its first event."""

    def append(self, run_id: UUID, first_id: int, events: Sequence[E]) -> object:
        """Adds ``events`` with the ids ``first_id``, ``first_id + 1``, ... Never waits. Raises ValueError for an id that is
        not above the run's last. Appending to a closed run opens it again."""

    def close(self, run_id: UUID) -> None:
        """No more events; the log is kept for its retention. Does nothing for a run this process did not append to."""

    async def flush(self, run_id: UUID) -> bool:
        """Waits until everything appended is stored; False when the store cannot be reached."""

    async def follow(self, run_id: UUID, after: int = 0) -> Follower[E] | None:
        """A reader that starts behind id ``after``, or None when the log does not have the run."""

    async def read_all(self, run_id: UUID) -> list[tuple[int, E]]:
        """Everything that is known about the run, empty when nothing is."""

    async def aclose(self) -> None:
        """Stores what is not stored yet and ends background work."""


class MemoryEventLog(Generic[E]):
    """The event log of one process. Closed runs are kept ``retention`` seconds, bounded by number of runs, events and bytes."""

    def __init__(
        self,
        *,
        retention: float = 300.0,
        max_closed: int = MAX_CLOSED_RUNS,
        max_events: int = MAX_CLOSED_EVENTS,
        max_bytes: int = MAX_CLOSED_BYTES,
        encode: Callable[[E], bytes] | None = None,
    ) -> None:
        """``encode`` tells how large an event is."""
        self.retention = retention
        self._max_closed = max_closed
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._encode = encode
        self._runs: dict[UUID, RunLog[E]] = {}
        self._deadlines: dict[UUID, float] = {}
        self._closed_events = 0
        self._closed_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def open(self, run_id: UUID) -> None:
        if run_id not in self._runs:
            self._runs[run_id] = RunLog()

    def append(self, run_id: UUID, first_id: int, events: Sequence[E]) -> RunLog[E]:
        log = self._runs.get(run_id)
        if log is None:
            log = self._runs[run_id] = RunLog()
        elif log.closed:
            self._reopen(run_id, log)
        if first_id <= log.last_id:
            raise ValueError(f"Event id {first_id} is not above {log.last_id}, the last of run {run_id}.")
        log.extend(enumerate(events, first_id))
        return log

    def close(self, run_id: UUID) -> None:
        log = self._runs.get(run_id)
        if log is None or log.closed:
            return
        log.close()
        self._deadlines[run_id] = monotonic() + self.retention
        self._closed_events += len(log.entries)
        log.size = sum(self._size(event) for _, event in log.entries)
        self._closed_bytes += log.size
        self._forget()

    async def flush(self, run_id: UUID) -> bool:
        return True

    async def follow(self, run_id: UUID, after: int = 0) -> Follower[E] | None:
        log = self._runs.get(run_id)
        return None if log is None else Follower(log, after)

    async def read_all(self, run_id: UUID) -> list[tuple[int, E]]:
        log = self._runs.get(run_id)
        return [] if log is None else list(log.entries)

    async def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def get(self, run_id: UUID) -> RunLog[E] | None:
        return self._runs.get(run_id)

    def _size(self, event: E) -> int:
        if self._encode is not None:
            # An event that cannot be encoded is told as text.
            with suppress(TypeError, ValueError, OverflowError, RecursionError):
                return len(self._encode(event))
        return len(repr(event))

    def _reopen(self, run_id: UUID, log: RunLog[E]) -> None:
        log.reopen()
        self._no_longer_closed(run_id, log)

    def _no_longer_closed(self, run_id: UUID, log: RunLog[E]) -> None:
        del self._deadlines[run_id]
        self._closed_events -= len(log.entries)
        self._closed_bytes -= log.size

    def _forget(self) -> None:
        """Drops the longest closed runs that are over time or over a bound; comes back when the next one is due."""
        now = monotonic()
        while self._deadlines:
            run_id, deadline = next(iter(self._deadlines.items()))
            if deadline > now and not self._is_full():
                break
            self._no_longer_closed(run_id, self._runs.pop(run_id))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._deadlines:
            due = next(iter(self._deadlines.values()))
            self._timer = asyncio.get_running_loop().call_later(max(due - now, 0.01), self._forget)

    def _is_full(self) -> bool:
        return (
            len(self._deadlines) > self._max_closed
            or self._closed_events > self._max_events
            or self._closed_bytes > self._max_bytes
        )


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
