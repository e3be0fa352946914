"""The event log of many processes: memory feeds the readers here, one Redis stream per run feeds those elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

import redis.asyncio
from redis.exceptions import RedisError, ResponseError

from .event_log import Follower, MemoryEventLog, RunLog
from .event_log_mirror import Mirrors
from .event_log_stream import END, PACK, Stream, rows_of

E = TypeVar("E")

logger = logging.getLogger(__name__)

WRITE_SECONDS = 0.1
RETRY_SECONDS = 0.5
PACK_EVENTS = 500
# A run whose process died leaves its stream unclosed; it must not stay in Redis for ever.
LIVE_SECONDS = 24 * 3_600


class _Writer(Generic[E]):
    """Brings what is in memory into the streams: one pipeline for all runs of the process, at most every 100 ms."""

    def __init__(self, client: redis.asyncio.Redis, stream: Stream[E], memory: MemoryEventLog[E]) -> None:
        self._client = client
        self._stream = stream
        self._memory = memory
        self._dirty: dict[UUID, RunLog[E]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[bool] | None = None
        self._failing = False

    def mark(self, run_id: UUID, log: RunLog[E]) -> None:
        self._dirty[run_id] = log
        if self._timer is None and self._task is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_SECONDS, self._start)

    async def flush(self, run_id: UUID) -> bool:
        log = self._memory.get(run_id)
        while log is not None and not _is_stored(log):
            self._dirty[run_id] = log
            task = self._task or self._start()
            await asyncio.wait((task,))
            if not task.result():
                return False
        return True

    async def aclose(self) -> None:
        stored = True
        while self._dirty and stored:
            task = self._task or self._start()
            await asyncio.wait((task,))
            stored = task.result()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._task is not None:
            await asyncio.wait((self._task,))

    def _start(self) -> asyncio.Task[bool]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._task = asyncio.get_running_loop().create_task(self._write(), name="event-log-writer")
        self._task.add_done_callback(self._written)
        return self._task

    def _written(self, task: asyncio.Task[bool]) -> None:
        self._task = None
        if self._dirty and not task.cancelled():
            delay = RETRY_SECONDS if self._failing else WRITE_SECONDS
            self._timer = task.get_loop().call_later(delay, self._start)

    async def _write(self) -> bool:
        dirty, self._dirty = self._dirty, {}
        pipeline = self._client.pipeline(transaction=False)
        planned = [self._plan(pipeline, run_id, log) for run_id, log in dirty.items() if not _is_stored(log)]
        if not planned:
            return True
        try:
            replies = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            self._dirty = {run_id: log for run_id, log in dirty.items() if self._memory.get(run_id) is log} | self._dirty
            self._report(error)
            return False
        failed = None
        at = 0
        for run_id, log, upto, closed, commands in planned:
            refusal = next((reply for reply in replies[at : at + commands] if _refused(reply)), None)
            at += commands
            if refusal is not None:
                failed = refusal
                self._dirty[run_id] = log
                continue
            log.stored = upto
            log.end_stored = closed and log.closed
            log.life_due = log.life_due and closed
        self._report(failed)
        return failed is None

    def _plan(self, pipeline: Any, run_id: UUID, log: RunLog[E]) -> tuple[UUID, RunLog[E], int, bool, int]:
        """Queues the commands for one run: its log, how many entries and whether the end are stored once they succeed."""
        key, upto, closed = self._stream.key(run_id), len(log.entries), log.closed
        commands = 0
        for start in range(log.stored, upto, PACK_EVENTS):
            pack = log.entries[start : min(start + PACK_EVENTS, upto)]
            pipeline.execute_command("XADD", key, f"{pack[-1][0]}-0", PACK, self._stream.pack(pack))
            commands += 1
        if closed and not log.end_stored:
            pipeline.execute_command("XADD", key, f"{log.last_id}-1", END, b"1")
            pipeline.execute_command("PEXPIRE", key, int(self._memory.retention * 1000))
            commands += 2
        elif log.life_due:
            pipeline.execute_command("EXPIRE", key, LIVE_SECONDS)
            commands += 1
        return run_id, log, upto, closed, commands

    def _report(self, error: object) -> None:
        if error is not None and not self._failing:
            logger.warning("Redis does not take events; they stay in memory until it does: %s", error)
        elif error is None and self._failing:
            logger.info("Redis takes events again.")
        self._failing = error is not None


class RedisEventLog(Generic[E]):
    """Readers on the process that appends never wait for Redis; an outage of Redis does not fail a run."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        encode: Callable[[E], bytes],
        decode: Callable[[bytes], E],
        *,
        prefix: str,
        retention: float = 300.0,
    ) -> None:
        """``decode`` raises ValueError for bytes it does not know; such an event is skipped."""
        self._client = client
        self._stream = Stream(prefix, encode, decode)
        self._memory: MemoryEventLog[E] = MemoryEventLog(retention=retention, encode=encode)
        self._writer = _Writer(client, self._stream, self._memory)
        self._mirrors = Mirrors(client, self._stream)

    def open(self, run_id: UUID) -> None:
        self._memory.open(run_id)

    def append(self, run_id: UUID, first_id: int, events: Sequence[E]) -> None:
        log = self._memory.append(run_id, first_id, events)
        self._writer.mark(run_id, log)

    def close(self, run_id: UUID) -> None:
        log = self._memory.get(run_id)
        if log is not None and not log.closed:
            self._memory.close(run_id)
            self._writer.mark(run_id, log)

    async def flush(self, run_id: UUID) -> bool:
        return await self._writer.flush(run_id)

    async def follow(self, run_id: UUID, after: int = 0) -> Follower[E] | None:
        log = self._memory.get(run_id)
        if log is not None:
            return Follower(log, after, backlog=await self._before(run_id, log, after))
        try:
            return await self._mirrors.follow(run_id, after)
        except (RedisError, OSError) as error:
            logger.warning("The log of a run elsewhere cannot be read: %s", error, extra={"run_id": str(run_id)})
            return None

    async def read_all(self, run_id: UUID) -> list[tuple[int, E]]:
        log = self._memory.get(run_id)
        if log is None:
            return await self._stored(run_id, 0)
        return [*await self._before(run_id, log, 0), *log.entries]

    async def aclose(self) -> None:
        await self._mirrors.aclose()
        await self._writer.aclose()
        await self._memory.aclose()

    async def _before(self, run_id: UUID, log: RunLog[E], after: int) -> list[tuple[int, E]]:
        """What another process appended before this one went on with the run, above ``after``."""
        if not log.entries or log.entries[0][0] <= after + 1:
            return []
        first = log.entries[0][0]
        return [entry for entry in await self._stored(run_id, after) if entry[0] < first]

    async def _stored(self, run_id: UUID, after: int) -> list[tuple[int, E]]:
        try:
            rows = rows_of(await self._client.xrange(self._stream.key(run_id), min=f"({after}-0"))
        except (RedisError, OSError) as error:
            logger.warning("A run's stream cannot be read: %s", error, extra={"run_id": str(run_id)})
            return []
        return self._stream.read(rows, after)[0]


def _is_stored(log: RunLog[Any]) -> bool:
    return log.stored == len(log.entries) and log.end_stored == log.closed


def _refused(reply: object) -> bool:
    """True for an error reply, unless it says that the entry is there already (a retry whose first answer was lost)."""
    return isinstance(reply, ResponseError) and "equal or smaller" not in str(reply)
