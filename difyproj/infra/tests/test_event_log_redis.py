"""What only the log over Redis does: survive its outage, hand a run to another process, share one blocking read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import redis.asyncio

from difyproj.infra.event_log_redis import RedisEventLog
from difyproj.infra.redis_client import open_async
from difyproj.infra.tests import redis_here
from difyproj.infra.tests.test_event_log import collect, redis_log, some
from difyproj.testing.flaky_redis import FlakyRedis


@pytest.fixture
async def prefix() -> AsyncIterator[str]:
    redis_here.url_or_skip()
    prefix = redis_here.fresh_prefix()
    yield prefix
    redis_here.forget(prefix)


@pytest.fixture
async def client(prefix: str) -> AsyncIterator[redis.asyncio.Redis]:
    client = open_async(redis_here.URL)
    yield client
    await client.aclose()


@pytest.fixture
async def flaky(prefix: str) -> AsyncIterator[FlakyRedis]:
    async with FlakyRedis(redis_here.URL) as proxy:
        yield proxy


async def test_events_reach_redis_within_200_ms_without_being_asked(client: redis.asyncio.Redis, prefix: str) -> None:
    log, elsewhere, run = redis_log(client, prefix), redis_log(client, prefix), uuid4()
    log.append(run, 1, ["a"])
    await asyncio.sleep(0.15)
    assert await elsewhere.read_all(run) == [(1, "a")]
    assert await client.ttl(f"{prefix}:run:{run}:events") > 3_600
    log.close(run)
    await asyncio.sleep(0.15)
    assert 0 < await client.pttl(f"{prefix}:run:{run}:events") <= 500
    await log.aclose()


async def test_all_runs_of_a_process_share_one_pipeline(client: redis.asyncio.Redis, prefix: str) -> None:
    log = redis_log(client, prefix)
    runs = [uuid4() for _ in range(50)]
    before = (await client.info("stats"))["total_net_input_bytes"]
    for run in runs:
        for at in range(1, 21):
            log.append(run, at, [f"token {at}"])
    assert await log.flush(runs[0])
    assert (await client.info("stats"))["total_net_input_bytes"] > before
    for run in runs:
        assert await client.xlen(f"{prefix}:run:{run}:events") == 1
        assert len(await log.read_all(run)) == 20
    await log.aclose()


async def test_a_process_that_takes_a_run_over_serves_what_the_dead_one_wrote(client: redis.asyncio.Redis, prefix: str) -> None:
    dead, heir, viewer, run = redis_log(client, prefix), redis_log(client, prefix), redis_log(client, prefix), uuid4()
    dead.append(run, 1, ["a", "b"])
    await dead.flush(run)
    watching = await viewer.follow(run)
    assert watching is not None
    assert await some(watching, 2) == [(1, "a"), (2, "b")]
    heir.append(run, 1001, ["lost"])
    heir.close(run)
    assert await heir.read_all(run) == [(1, "a"), (2, "b"), (1001, "lost")]
    for after, expected in ((0, [(1, "a"), (2, "b"), (1001, "lost")]), (1, [(2, "b"), (1001, "lost")]), (2, [(1001, "lost")])):
        follower = await heir.follow(run, after)
        assert follower is not None
        assert await collect(follower) == expected
    assert await collect(watching) == [(1001, "lost")]
    for log in (dead, heir, viewer):
        await log.aclose()


async def test_an_outage_of_redis_fails_nothing_and_is_made_up_for(
    flaky: FlakyRedis, client: redis.asyncio.Redis, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    through = open_async(flaky.url)
    log, elsewhere, run = redis_log(through, prefix), redis_log(client, prefix), uuid4()
    log.append(run, 1, ["before"])
    assert await log.flush(run)
    await flaky.cut()
    with caplog.at_level(logging.INFO):
        log.append(run, 2, ["during", "the outage"])
        assert not await log.flush(run)
        here = await log.follow(run)
        assert here is not None
        assert len(await some(here, 3)) == 3
        assert await log.follow(uuid4()) is None
        await flaky.mend()
        log.append(run, 4, ["after"])
        await asyncio.sleep(1.0)
    assert [text for _, text in await elsewhere.read_all(run)] == ["before", "during", "the outage", "after"]
    assert sum("Redis does not take events" in record.message for record in caplog.records) == 1
    assert any("takes events again" in record.message for record in caplog.records)
    await log.aclose()
    await through.aclose()


async def test_a_reader_elsewhere_goes_on_after_an_outage(flaky: FlakyRedis, client: redis.asyncio.Redis, prefix: str) -> None:
    through = open_async(flaky.url)
    log, elsewhere, run = redis_log(client, prefix), redis_log(through, prefix), uuid4()
    log.append(run, 1, ["a"])
    await log.flush(run)
    follower = await elsewhere.follow(run)
    assert follower is not None
    assert await some(follower, 1) == [(1, "a")]
    await flaky.cut()
    log.append(run, 2, ["b"])
    await log.flush(run)
    assert await follower.next(0.2) == ()
    await flaky.mend()
    log.append(run, 3, ["c"])
    log.close(run)
    assert await collect(follower) == [(2, "b"), (3, "c")]
    await elsewhere.aclose()
    await log.aclose()
    await through.aclose()


async def test_many_readers_elsewhere_share_one_connection(client: redis.asyncio.Redis, prefix: str) -> None:
    log, through = redis_log(client, prefix), open_async(redis_here.URL)
    elsewhere = redis_log(through, prefix)
    runs = [uuid4() for _ in range(40)]
    for run in runs:
        log.append(run, 1, ["a"])
    await log.flush(runs[0])
    followers = [await elsewhere.follow(run) for run in runs for _ in range(3)]
    reading = [asyncio.create_task(collect(follower)) for follower in followers if follower is not None]
    await asyncio.sleep(0.1)
    pool = through.connection_pool
    assert len(pool._in_use_connections) == 1
    for run in runs:
        log.append(run, 2, ["b"])
        log.close(run)
    assert await asyncio.gather(*reading) == [[(1, "a"), (2, "b")]] * 120
    await elsewhere.aclose()
    await log.aclose()
    await through.aclose()


async def test_the_blocking_read_ends_with_its_last_reader(client: redis.asyncio.Redis, prefix: str) -> None:
    log, elsewhere, run = redis_log(client, prefix), redis_log(client, prefix), uuid4()
    log.append(run, 1, ["a"])
    await log.flush(run)
    first, second = await elsewhere.follow(run), await elsewhere.follow(run)
    assert first is not None
    assert second is not None
    first.cancel()
    log.append(run, 2, ["b"])
    assert await some(second, 2) == [(1, "a"), (2, "b")]
    second.cancel()
    log.append(run, 3, ["c"])
    log.close(run)
    late = await elsewhere.follow(run, 2)
    assert late is not None
    assert await collect(late) == [(3, "c")]
    await elsewhere.aclose()
    await log.aclose()


async def test_an_event_that_cannot_be_written_or_read_is_left_out(client: redis.asyncio.Redis, prefix: str) -> None:
    log: RedisEventLog[str] = RedisEventLog(client, lambda text: text.encode("ascii"), bytes.decode, prefix=prefix)
    elsewhere: RedisEventLog[int] = RedisEventLog(client, lambda number: b"%d" % number, int, prefix=prefix)
    run = uuid4()
    log.append(run, 1, ["1", "é", "x", "4"])
    assert await log.flush(run)
    assert await elsewhere.read_all(run) == [(1, 1), (4, 4)]
    await log.aclose()
