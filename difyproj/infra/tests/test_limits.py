"""Request rates over the in-process counters and over Redis, and what happens when the cache is away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from difyproj.infra import limits
from difyproj.infra.counters import CounterCache
from difyproj.infra.tests import redis_here
from difyproj.kernel.errors import ServiceUnavailable

IN_PROCESS = {"BACKEND": "difyproj.infra.counters.CounterCache"}


def over_redis(url: str) -> dict[str, Any]:
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": redis_here.fresh_prefix(),
        "OPTIONS": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer", "SOCKET_CONNECT_TIMEOUT": 0.5},
    }


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    limits.reset()
    yield
    limits.reset()


@pytest.fixture(params=["in process", "redis"])
def key(request: pytest.FixtureRequest, settings: Settings) -> str:
    """A fresh caller, counted in the parametrised cache."""
    settings.CACHES = {"default": IN_PROCESS if request.param == "in process" else over_redis(redis_here.url_or_skip())}
    return str(uuid4())


def test_calls_are_counted_down_and_the_one_too_many_is_limited(key: str) -> None:
    usages = [limits.count(group="api", key=key, rate="3/h") for _ in range(4)]
    assert [(usage.limit, usage.remaining, usage.limited) for usage in usages if usage] == [
        (3, 2, False),
        (3, 1, False),
        (3, 0, False),
        (3, 0, True),
    ]
    assert all(usage is not None and 1 <= usage.reset_seconds <= 3_600 for usage in usages)


def test_keys_and_groups_are_counted_apart(key: str) -> None:
    for group, caller in (("api", key), ("api", key + "2"), ("login", key)):
        usage = limits.count(group=group, key=caller, rate="1/h")
        assert usage is not None
        assert not usage.limited


def test_peeking_counts_nothing(key: str) -> None:
    assert limits.count(group="api", key=key, rate="2/h") == limits.peek(group="api", key=key, rate="2/h")
    usage = limits.peek(group="api", key=key, rate="2/h")
    assert usage is not None
    assert usage.remaining == 1


def test_a_window_ends(key: str) -> None:
    first = [limits.count(group="api", key=key, rate="1/s") for _ in range(2)]
    assert any(usage is not None and usage.limited for usage in first)
    time.sleep(1.1)
    usage = limits.count(group="api", key=key, rate="1/s")
    assert usage is not None
    assert not usage.limited


def test_parallel_calls_race_a_rate_and_it_holds(key: str) -> None:
    start = Barrier(10)

    def race(_: int) -> int:
        start.wait(5)
        usages = [limits.count(group="api", key=key, rate="25/h") for _ in range(20)]
        return sum(usage is not None and not usage.limited for usage in usages)

    with ThreadPoolExecutor(10) as threads:
        assert sum(threads.map(race, range(10))) == 25


def test_no_rate_and_switched_off_rates_count_nothing(key: str, settings: Settings) -> None:
    assert limits.count(group="api", key=key, rate="") is None
    settings.RATELIMIT_ENABLE = False
    assert limits.count(group="api", key=key, rate="1/h") is None


@pytest.mark.parametrize("rate", ["many", "0/m", "10", "10/x", "-1/m"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        limits.count(group="api", key="k", rate=rate)


def test_a_cache_that_is_away_lets_calls_through_and_is_left_alone_for_a_while(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {"default": over_redis(settings.REDIS_URL)}
    began = time.monotonic()
    assert [limits.count(group="api", key="k", rate="1/h") for _ in range(50)] == [None] * 50
    assert time.monotonic() - began < 2
    assert caplog.text.count("the cache is away") == 1


def test_what_must_be_counted_does_not_pass_while_the_cache_is_away(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CACHES = {"default": over_redis(settings.REDIS_URL)}
    for _ in range(3):
        with pytest.raises(ServiceUnavailable) as refused:
            limits.count(group="sign-in", key="k", rate="1/h", must=True)
        assert refused.value.retry_after
    assert limits.count(group="sign-in", key="k", rate="", must=True) is None
    settings.RATELIMIT_ENABLE = False
    assert limits.count(group="sign-in", key="k", rate="1/h", must=True) is None


@pytest.mark.parametrize(
    ("ip", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not-an-ip", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_place_is_an_address_or_a_network_of_ipv6(ip: str | None, place: str) -> None:
    assert limits.place(ip) == place


def test_the_counters_keep_their_promises_as_a_cache() -> None:
    cache = CounterCache("a cache of its own", {"TIMEOUT": 60, "OPTIONS": {"MAX_ENTRIES": 10}})
    assert cache.add("a", 1)
    assert not cache.add("a", 2)
    assert cache.incr("a", 4) == 5
    assert cache.get("a") == 5
    cache.set("b", "text", timeout=0.02)
    assert cache.touch("a", 60)
    assert cache.has_key("b")
    time.sleep(0.03)
    assert cache.get("b", "gone") == "gone"
    assert not cache.touch("b")
    with pytest.raises(ValueError, match="not found"):
        cache.incr("b")
    assert cache.delete("a")
    assert not cache.delete("a")
    for number in range(25):
        cache.set(str(number), number, timeout=None)
    assert [cache.get(str(number)) for number in (0, 24)] == [None, 24]
    assert len(cache._held) <= 10
    cache.clear()
    assert cache.get("24") is None
