"""Readers of runs that another process pumps: each run is mirrored once per process, all through one blocking read."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Generic, TypeVar
from uuid import UUID

import redis.asyncio
from redis.exceptions import RedisError

from difyproj.kernel.ids import new_id

from .event_log import Follower, RunLog
from .event_log_stream import Stream, rows_of
from .loop import end, spawn
from .redis_client import BLOCK_SECONDS

E = TypeVar("E")

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.02
RETRY_SECONDS = 0.5
WAKE_KEY_SECONDS = 3_600


class _Mirror(RunLog[E]):
    """A copy of another process's log: where in the stream it has come to, and how many followers it feeds."""

    __slots__ = ("followers", "position")

    def __init__(self) -> None:
        super().__init__()
        self.position: bytes = b"0-0"
        self.followers = 0


class Mirrors(Generic[E]):
    """The mirrored runs of this process. The reading task runs only while somebody follows."""

    def __init__(self, client: redis.asyncio.Redis, stream: Stream[E]) -> None:
        self._client = client
        self._stream = stream
        self._mirrors: dict[UUID, _Mirror[E]] = {}
        self._wake_key = f"{stream.prefix}:wake:{new_id()}"
        self._task: asyncio.Task[None] | None = None

    async def follow(self, run_id: UUID, after: int) -> Follower[E] | None:
        """None when Redis has no stream of the run. Raises RedisError when it cannot be reached."""
        mirror = self._mirrors.get(run_id) or await self._load(run_id)
        if mirror is None or mirror.closed:
            return None if mirror is None else Follower(mirror, after)
        if mirror.followers == 0:
            self._mirrors[run_id] = mirror
            self._read_on()
        mirror.followers += 1
        return Follower(mirror, after, release=lambda: self._release(run_id, mirror))

    async def aclose(self) -> None:
        if self._task is None:
            return
        await end(self._task)
        self._task = None

    async def _load(self, run_id: UUID) -> _Mirror[E] | None:
        rows = rows_of(await self._client.xrange(self._stream.key(run_id)))
        if run_id in self._mirrors:
            return self._mirrors[run_id]
        if not rows:
            return None
        mirror: _Mirror[E] = _Mirror()
        self._feed(mirror, rows)
        return mirror

    def _read_on(self) -> None:
        """Makes the reading task see a new run: starts it, or interrupts its blocking read."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._read(), name="event-log-mirrors")
        else:
            spawn(self._wake(), name="event-log-wake")

    async def _wake(self) -> None:
        pipeline = self._client.pipeline(transaction=False)
        pipeline.xadd(self._wake_key, {"wake": ""}, maxlen=1)
        pipeline.expire(self._wake_key, WAKE_KEY_SECONDS)
        try:
            await pipeline.execute()
        except (RedisError, OSError) as error:
            logger.debug("A wake-up was lost, the blocking read ends by itself soon: %s", error)

    def _release(self, run_id: UUID, mirror: _Mirror[E]) -> None:
        mirror.followers -= 1
        if mirror.followers == 0 and self._mirrors.get(run_id) is mirror:
            del self._mirrors[run_id]

    async def _read(self) -> None:
        woken: bytes = b"0-0"
        while self._mirrors:
            by_key = {self._stream.key(run_id).encode(): (run_id, mirror) for run_id, mirror in self._mirrors.items()}
            places: dict[Any, Any] = {key: mirror.position for key, (_, mirror) in by_key.items()}
            places[self._wake_key] = woken
            try:
                replies: Any = await self._client.xread(places, block=int(BLOCK_SECONDS * 1000))
            except (RedisError, OSError) as error:
                logger.warning("Event logs of other processes cannot be read: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            for key, reply in replies or ():
                if key not in by_key:
                    woken = reply[-1][0]
                    continue
                run_id, mirror = by_key[key]
                self._feed(mirror, rows_of(reply))
                if mirror.closed:
                    self._mirrors.pop(run_id, None)
            if replies:
                await asyncio.sleep(GATHER_SECONDS)

    def _feed(self, mirror: _Mirror[E], rows: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        if not rows:
            return
        mirror.position = rows[-1][0]
        entries, ended = self._stream.read(rows, mirror.last_id)
        if entries:
            mirror.extend(entries)
        if ended:
            mirror.close()
