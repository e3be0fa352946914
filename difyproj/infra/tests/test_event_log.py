"""One suite for every event log: in memory, over Redis on the appending process, over Redis from another process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from difyproj.infra.event_log import EventLog, Follower, MemoryEventLog
from difyproj.infra.event_log_redis import RedisEventLog
from difyproj.infra.redis_client import open_async
from difyproj.infra.tests import redis_here

RETENTION = 0.5


@dataclass
class Logs:
    """Where a test appends, and where it reads: the same log, or another process's view of it."""

    writer: EventLog[str]
    reader: EventLog[str]

    async def follow(self, run_id: UUID, after: int = 0) -> Follower[str]:
        await self.writer.flush(run_id)
        follower = await self.reader.follow(run_id, after)
        assert follower is not None
        return follower


def redis_log(client: Any, prefix: str) -> RedisEventLog[str]:
    return RedisEventLog(client, str.encode, bytes.decode, prefix=prefix, retention=RETENTION)


@pytest.fixture(params=["memory", "redis here", "redis elsewhere"])
async def logs(request: pytest.FixtureRequest) -> AsyncIterator[Logs]:
    if request.param == "memory":
        memory: MemoryEventLog[str] = MemoryEventLog(retention=RETENTION)
        yield Logs(memory, memory)
        await memory.aclose()
        return
    client, prefix = open_async(redis_here.url_or_skip()), redis_here.fresh_prefix()
    writer = redis_log(client, prefix)
    reader = writer if request.param == "redis here" else redis_log(client, prefix)
    yield Logs(writer, reader)
    await reader.aclose()
    await writer.aclose()
    await client.aclose()
    redis_here.forget(prefix)


async def collect(follower: Follower[str], *, seconds: float = 5.0) -> list[tuple[int, str]]:
    """Everything until the end of the log."""
    seen: list[tuple[int, str]] = []
    async with asyncio.timeout(seconds):
        while not follower.finished:
            seen.extend(await follower.next(1.0))
    return seen


async def some(follower: Follower[str], count: int) -> list[tuple[int, str]]:
    seen: list[tuple[int, str]] = []
    async with asyncio.timeout(5):
        while len(seen) < count:
            seen.extend(await follower.next(1.0))
    return seen


def numbered(first: int, texts: Sequence[str]) -> list[tuple[int, str]]:
    return list(enumerate(texts, first))


async def test_a_reader_sees_every_event_once_in_order_and_then_the_end(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["a", "b"])
    follower = await logs.follow(run)
    assert await some(follower, 2) == [(1, "a"), (2, "b")]
    assert not follower.finished
    logs.writer.append(run, 3, ["c"])
    logs.writer.append(run, 4, ["d"])
    logs.writer.close(run)
    assert await collect(follower) == [(3, "c"), (4, "d")]
    assert follower.finished
    assert await follower.next(1.0) == ()


@pytest.mark.parametrize("after", [0, 1, 3, 5, 9])
async def test_a_reader_resumes_behind_any_id(logs: Logs, after: int) -> None:
    run = uuid4()
    texts = ["a", "b", "c", "d", "e"]
    logs.writer.append(run, 1, texts[:2])
    await logs.writer.flush(run)
    logs.writer.append(run, 3, texts[2:])
    logs.writer.close(run)
    follower = await logs.follow(run, after)
    assert await collect(follower) == [entry for entry in numbered(1, texts) if entry[0] > after]


async def test_a_reader_that_is_ahead_of_the_log_waits_for_its_place(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["a"])
    follower = await logs.follow(run, 2)
    logs.writer.append(run, 2, ["b", "c"])
    logs.writer.close(run)
    assert await collect(follower) == [(3, "c")]


async def test_ids_may_have_gaps_but_never_go_back(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["a"])
    logs.writer.append(run, 1001, ["b"])
    with pytest.raises(ValueError, match="not above 1001"):
        logs.writer.append(run, 1001, ["again"])
    logs.writer.close(run)
    assert await collect(await logs.follow(run)) == [(1, "a"), (1001, "b")]
    assert await collect(await logs.follow(run, 500)) == [(1001, "b")]


async def test_several_readers_and_late_joiners_all_get_the_whole(logs: Logs) -> None:
    run, texts = uuid4(), [f"token {n}" for n in range(300)]

    async def pump() -> None:
        for at in range(2, 300, 3):
            logs.writer.append(run, at + 1, texts[at : at + 3])
            await asyncio.sleep(0.001)
        logs.writer.close(run)

    logs.writer.append(run, 1, texts[:2])
    await logs.writer.flush(run)
    pumping = asyncio.create_task(pump())
    readers = []
    for after in (0, 0, 0, 100, 299):
        readers.append((after, asyncio.create_task(collect(await logs.follow(run, after)))))
        await asyncio.sleep(0.02)
    await pumping
    readers.append((7, asyncio.create_task(collect(await logs.follow(run, 7)))))
    for after, reader in readers:
        assert await reader == numbered(after + 1, texts[after:])


async def test_a_quiet_log_answers_nothing_after_the_timeout(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["a"])
    follower = await logs.follow(run, 1)
    assert await follower.next(0.02) == ()
    assert not follower.finished
    logs.writer.append(run, 2, ["b"])
    assert await some(follower, 1) == [(2, "b")]


async def test_a_reader_that_cancels_stops_waiting(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["a"])
    follower, other = await logs.follow(run, 1), await logs.follow(run, 1)
    waiting = asyncio.create_task(follower.next(None))
    await asyncio.sleep(0)
    follower.cancel()
    follower.cancel()
    assert await asyncio.wait_for(waiting, 1) == ()
    assert follower.finished
    logs.writer.append(run, 2, ["b"])
    assert await follower.next(0.01) == ()
    assert await some(other, 1) == [(2, "b")]


async def test_a_cancelled_task_leaves_its_reader_usable(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["a"])
    follower = await logs.follow(run, 1)
    waiting = asyncio.create_task(follower.next(None))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait((waiting,))
    logs.writer.append(run, 2, ["b"])
    assert await some(follower, 1) == [(2, "b")]


async def test_an_unknown_run_has_no_log(logs: Logs) -> None:
    assert await logs.reader.follow(uuid4()) is None
    assert await logs.reader.read_all(uuid4()) == []
    logs.writer.close(uuid4())
    assert await logs.writer.flush(uuid4())


async def test_everything_can_be_read_at_once_before_and_after_the_end(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["a", "b"])
    assert await logs.writer.flush(run)
    assert await logs.reader.read_all(run) == [(1, "a"), (2, "b")]
    logs.writer.append(run, 3, ["c"])
    logs.writer.close(run)
    assert await logs.writer.flush(run)
    assert await logs.reader.read_all(run) == [(1, "a"), (2, "b"), (3, "c")]


async def test_a_closed_run_is_forgotten_after_its_retention_but_its_reader_finishes(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["a"])
    slow = await logs.follow(run)
    logs.writer.close(run)
    await logs.writer.flush(run)
    assert await collect(await logs.follow(run)) == [(1, "a")]
    await asyncio.sleep(RETENTION + 0.2)
    assert await logs.reader.follow(run) is None
    assert await collect(slow) == [(1, "a")]


async def test_a_run_that_goes_on_after_its_end_is_one_log(logs: Logs) -> None:
    run = uuid4()
    logs.writer.append(run, 1, ["paused"])
    logs.writer.close(run)
    await logs.writer.flush(run)
    logs.writer.append(run, 2, ["resumed"])
    follower = await logs.follow(run)
    assert await some(follower, 2) == [(1, "paused"), (2, "resumed")]
    assert not follower.finished
    await asyncio.sleep(RETENTION + 0.2)
    logs.writer.append(run, 3, ["done"])
    logs.writer.close(run)
    assert await collect(follower) == [(3, "done")]
    assert await collect(await logs.follow(run, 1)) == [(2, "resumed"), (3, "done")]


async def test_a_burst_longer_than_a_pack_arrives_whole(logs: Logs) -> None:
    run, texts = uuid4(), [str(n) for n in range(1_700)]
    logs.writer.append(run, 1, texts)
    logs.writer.close(run)
    assert await collect(await logs.follow(run, 777)) == numbered(778, texts[777:])


async def test_an_opened_run_can_be_followed_before_its_first_event() -> None:
    log: MemoryEventLog[str] = MemoryEventLog()
    run = uuid4()
    log.open(run)
    follower = await log.follow(run)
    assert follower is not None
    log.append(run, 1, ["a"])
    assert await follower.next(1) == [(1, "a")]


async def test_memory_keeps_a_bounded_number_of_closed_runs_and_events() -> None:
    log: MemoryEventLog[str] = MemoryEventLog(max_closed=3, max_events=10)
    runs = [uuid4() for _ in range(6)]
    for run in runs:
        log.append(run, 1, ["x", "y"])
    for run in runs[:5]:
        log.close(run)
    assert [await log.follow(run) is not None for run in runs] == [False, False, True, True, True, True]
    log.append(runs[5], 3, ["z"] * 5)
    log.close(runs[5])
    assert [await log.follow(run) is not None for run in runs] == [False, False, False, False, True, True]
    await log.aclose()


async def test_memory_keeps_a_bounded_number_of_bytes_of_closed_runs() -> None:
    log: MemoryEventLog[str] = MemoryEventLog(max_bytes=2_500)
    runs = [uuid4() for _ in range(4)]
    for run in runs:
        log.append(run, 1, ["x" * 500, "y" * 500])
        log.close(run)
    assert [await log.follow(run) is not None for run in runs] == [False, False, True, True]
    log.append(runs[3], 3, ["z" * 3_000])
    assert await log.follow(runs[2]) is not None
    log.close(runs[3])
    assert [await log.follow(run) is not None for run in runs] == [False, False, False, False]
    await log.aclose()


async def test_an_event_is_as_large_as_its_encoding_or_else_its_text() -> None:
    log: MemoryEventLog[str] = MemoryEventLog(max_bytes=2_500, encode=lambda text: text.encode() * 10)
    runs = [uuid4() for _ in range(3)]
    for run, text in zip(runs, ["x" * 200, "y" * 100, "\ud800" * 10], strict=True):
        log.append(run, 1, [text])
        log.close(run)
    assert [await log.follow(run) is not None for run in runs] == [False, True, True]
    await log.aclose()
