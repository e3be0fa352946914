"""Values in memory: loaded once, bounded, forgotten in every process when a change commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from pytest_django import Settings

from difyproj.infra import backends, cache, db, redis_client
from difyproj.infra.cache import Cached, CacheWatch
from difyproj.infra.models import CacheVersion
from difyproj.infra.tests import redis_here


@pytest.fixture
def names(house_db: None) -> Iterator[Cached[str]]:
    cached: Cached[str] = Cached(f"names-{uuid4().hex[:8]}", ttl=60.0, max_entries=3)
    yield cached
    del cache._caches[cached.namespace]


class Source:
    """What is cached: counts how often it is asked."""

    def __init__(self, value: str = "first") -> None:
        self.value = value
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        return self.value


def test_a_value_is_loaded_once_and_the_rate_of_hits_is_told(names: Cached[str]) -> None:
    source = Source()
    assert [names.get("a", source) for _ in range(4)] == ["first"] * 4
    assert (source.asked, names.hits, names.misses, names.hit_rate) == (1, 3, 1, 0.75)
    names.reset()
    assert (len(names), names.hits, names.misses, names.hit_rate) == (0, 0, 0, 0.0)


def test_a_value_is_loaded_again_after_its_time(names: Cached[str]) -> None:
    source = Source()
    names._ttl = 0.02
    names.get("a", source)
    time.sleep(0.03)
    source.value = "second"
    assert names.get("a", source) == "second"


def test_the_oldest_entries_make_room(names: Cached[str]) -> None:
    source = Source()
    for key in "abcd":
        names.get(key, source)
    assert len(names) == 3
    names.get("d", source)
    names.get("b", source)
    assert source.asked == 4
    names.get("a", source)
    assert source.asked == 5


def test_many_threads_that_miss_load_once(names: Cached[str]) -> None:
    start, source = Barrier(8), Source()

    def slow() -> str:
        time.sleep(0.05)
        return source()

    def ask(_: int) -> str:
        start.wait(5)
        return names.get("a", slow)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == ["first"] * 8
    assert source.asked == 1


def test_an_error_reaches_everybody_who_waits_and_is_not_remembered(names: Cached[str]) -> None:
    start, asked = Barrier(4), []

    def fail() -> str:
        asked.append(1)
        time.sleep(0.05)
        raise DatabaseError("away")

    def ask(_: int) -> str:
        start.wait(5)
        try:
            return names.get("a", fail)
        except DatabaseError as error:
            return str(error)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(4))) == ["away"] * 4
    assert len(asked) == 1
    assert names.get("a", Source()) == "first"


def test_a_change_is_seen_at_once_where_it_was_made(names: Cached[str]) -> None:
    source = Source()
    names.get("a", source)
    names.get("b", source)
    source.value = "second"
    names.invalidate("a")
    assert names.get("a", source) == "second"
    assert names.get("b", source) == "first"
    names.invalidate()
    assert names.get("b", source) == "second"
    assert CacheVersion.objects.get(namespace=names.namespace).version == 2


def test_a_change_is_invisible_until_it_commits_and_for_ever_when_it_does_not(names: Cached[str]) -> None:
    source = Source("old")
    names.get("a", source)
    with ThreadPoolExecutor(1) as other:

        def elsewhere() -> str:
            return other.submit(names.get, "a", lambda: "old").result()

        with transaction.atomic():
            names.invalidate("a")
            assert names.get("a", lambda: "new, perhaps") == "new, perhaps"
            assert elsewhere() == "old"
            transaction.set_rollback(True)
        assert names.get("a", lambda: "loaded again") == "old"
        with transaction.atomic():
            names.invalidate("a")
            assert elsewhere() == "old"
        assert names.get("a", lambda: "new") == "new"
        assert elsewhere() == "new"


def test_what_a_transaction_reads_is_not_remembered(names: Cached[str]) -> None:
    with transaction.atomic():
        assert names.get("a", lambda: "uncommitted") == "uncommitted"
    assert names.get("a", lambda: "committed") == "committed"
    with transaction.atomic():
        assert names.get("a", lambda: "not asked") == "committed"


def test_a_value_that_changed_while_it_was_loaded_is_not_remembered(names: Cached[str]) -> None:
    started, changed = Event(), Event()

    def slow() -> str:
        started.set()
        changed.wait(5)
        return "before the change"

    with ThreadPoolExecutor(1) as other:
        loading = other.submit(names.get, "a", slow)
        started.wait(5)
        names.invalidate("a")
        assert names.get("a", lambda: "after the change") == "after the change"
        changed.set()
        assert loading.result(5) == "before the change"
    assert names.get("a", lambda: "not asked") == "after the change"


def test_namespaces_are_distinct_and_listed(names: Cached[str]) -> None:
    with pytest.raises(ValueError, match="already"):
        Cached(names.namespace, ttl=1.0, max_entries=1)
    assert names in cache.all_caches()
    names.get("a", Source())
    cache.reset_all()
    assert len(names) == 0


def change_elsewhere(namespace: str) -> None:
    """What another process does to the database when it invalidates."""
    cache._count_up(namespace)


async def test_a_change_in_another_process_is_found_by_the_poll(names: Cached[str]) -> None:
    source = Source()
    watch = CacheWatch(db.run, every=0.02)
    await watch.start()
    await db.run(change_elsewhere, names.namespace)
    await asyncio.sleep(0.1)
    await db.run(names.get, "a", source)
    await asyncio.sleep(0.1)
    source.value = "second"
    assert await db.run(names.get, "a", source) == "first"
    await db.run(change_elsewhere, names.namespace)
    await asyncio.sleep(0.1)
    assert await db.run(names.get, "a", source) == "second"
    await watch.stop()


@pytest.fixture
async def over_redis(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    settings.REDIS_URL = redis_here.url_or_skip()
    monkeypatch.setattr(redis_client, "KEY_PREFIX", redis_here.fresh_prefix())
    backends.reset()
    yield
    await backends.aclose()


async def test_a_change_in_another_process_is_told_at_once(names: Cached[str], over_redis: None) -> None:
    source = Source()
    watch = CacheWatch(db.run, every=60.0)
    await watch.start()
    async with asyncio.timeout(5):
        await backends.get_control().listening()
    await asyncio.sleep(0.05)
    await db.run(names.get, "a", source)
    source.value = "second"
    client = redis_client.async_client()
    message = b'["another process",{"namespace":"%s"}]' % names.namespace.encode()
    await client.publish(f"{redis_client.KEY_PREFIX}:{redis_client.database()}:control:{cache.TOPIC}", message)
    await asyncio.sleep(0.1)
    assert await db.run(names.get, "a", source) == "second"
    await watch.stop()
