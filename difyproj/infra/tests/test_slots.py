"""One suite for slots in memory and over Redis: the limit holds, whoever races it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.backoff import NoBackoff
from redis.retry import Retry

from difyproj.infra.slots import MemorySlots, Slots
from difyproj.infra.slots_redis import RedisSlots
from difyproj.infra.tests import redis_here

STALE = 0.4


@pytest.fixture(params=["memory", "redis"])
def slots(request: pytest.FixtureRequest) -> Iterator[Slots]:
    if request.param == "memory":
        yield MemorySlots(stale=STALE)
        return
    client, prefix = redis.Redis.from_url(redis_here.url_or_skip()), redis_here.fresh_prefix()
    yield RedisSlots(client, prefix=prefix, stale=STALE)
    client.close()
    redis_here.forget(prefix)


def test_a_place_beyond_the_limit_is_refused_until_one_is_given_back(slots: Slots) -> None:
    assert slots.take("app", 2, "a")
    assert slots.take("app", 2, "b")
    assert not slots.take("app", 2, "c")
    assert slots.take("another", 2, "c")
    assert slots.active("app") == 2
    slots.give("app", "a")
    assert slots.take("app", 2, "c")
    assert slots.active("app") == 2


def test_taking_and_giving_twice_is_taking_and_giving_once(slots: Slots) -> None:
    assert slots.take("app", 1, "a")
    assert slots.take("app", 1, "a")
    assert slots.active("app") == 1
    slots.give("app", "a")
    slots.give("app", "a")
    slots.give("app", "never there")
    assert slots.active("app") == 0


def test_no_limit_is_counted_all_the_same(slots: Slots) -> None:
    assert all(slots.take("app", 0, str(holder)) for holder in range(30))
    assert slots.active("app") == 30
    assert not slots.take("app", 30, "late")


def test_a_holder_that_is_not_renewed_loses_its_place(slots: Slots) -> None:
    assert slots.take("app", 2, "alive")
    assert slots.take("app", 2, "dead")
    time.sleep(STALE * 0.6)
    slots.renew("app", ["alive", "never there"])
    assert slots.active("app") == 2
    time.sleep(STALE * 0.6)
    assert slots.active("app") == 1
    assert slots.take("app", 2, "new")
    assert not slots.take("app", 2, "newer")


def test_two_hundred_parallel_takes_race_a_limit_and_it_holds(slots: Slots) -> None:
    start = Barrier(20)

    def race(_: int) -> int:
        start.wait(5)
        return sum(slots.take("app", 7, str(uuid4())) for _ in range(10))

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(race, range(20))) == 7
    assert slots.active("app") == 7


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefgh")), max_size=30), st.integers(1, 4))
def test_any_sequence_counts_like_a_set(slots: Slots, moves: list[tuple[bool, str]], limit: int) -> None:
    key, held = str(uuid4()), set[str]()
    for taking, holder in moves:
        if taking:
            granted = holder in held or len(held) < limit
            assert slots.take(key, limit, holder) is granted
            held |= {holder} if granted else set()
        else:
            slots.give(key, holder)
            held.discard(holder)
        assert slots.active(key) == len(held)


def test_without_redis_each_process_holds_the_limit_on_its_own(caplog: pytest.LogCaptureFixture) -> None:
    slots = RedisSlots(redis.Redis(port=1, retry=Retry(NoBackoff(), 0)), prefix="nowhere")
    assert [slots.take("app", 2, holder) for holder in "aab"] == [True, True, True]
    assert not slots.take("app", 2, "c")
    assert slots.active("app") == 2
    slots.renew("app", ["a"])
    slots.give("app", "a")
    assert slots.take("app", 2, "c")
    assert "counted in this process only" in caplog.text
