"""One suite for messages within a process and between processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from difyproj.infra.control import Control, MemoryControl
from difyproj.infra.control_redis import RedisControl
from difyproj.infra.redis_client import open_async
from difyproj.infra.tests import redis_here
from difyproj.testing.flaky_redis import FlakyRedis


@dataclass
class Ends:
    """Where a test sends, and where it listens: the same process, or two."""

    sender: Control
    listener: Control


@pytest.fixture
async def processes() -> AsyncIterator[Callable[[str], RedisControl]]:
    """Makes the control of one more process, connected to the given URL."""
    redis_here.url_or_skip()
    prefix, made = redis_here.fresh_prefix(), []

    def make(url: str) -> RedisControl:
        threads, on_loop = redis.Redis.from_url(url), open_async(url)
        control = RedisControl(lambda: threads, lambda: on_loop, prefix=prefix)
        made.append((control, threads, on_loop))
        return control

    yield make
    for control, threads, on_loop in made:
        await control.aclose()
        threads.close()
        await on_loop.aclose()


@pytest.fixture(params=["memory", "redis here", "redis elsewhere"])
def ends(request: pytest.FixtureRequest) -> Ends:
    if request.param == "memory":
        control = MemoryControl()
        return Ends(control, control)
    make = request.getfixturevalue("processes")
    sender = make(redis_here.URL)
    return Ends(sender, sender if request.param == "redis here" else make(redis_here.URL))


class Ear:
    """Remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    def __call__(self, payload: dict[str, Any]) -> None:
        assert asyncio.get_running_loop()
        self.heard.append(payload)
        self._changed.set()

    async def wait(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(5):
            while len(self.heard) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.heard


async def test_a_message_reaches_every_subscriber_of_its_topic_once(ends: Ends) -> None:
    stops, more, others = Ear(), Ear(), Ear()
    for topic, ear in (("stop", stops), ("stop", more), ("cache", others)):
        ends.listener.subscribe(topic, ear)
    async with asyncio.timeout(5):
        await ends.listener.listening()
    await asyncio.to_thread(ends.sender.send, "stop", {"run": "1"})
    ends.sender.send("stop", {"run": "2"})
    ends.sender.send("cache", {"namespace": "é"})
    assert sorted(payload["run"] for payload in await stops.wait(2)) == ["1", "2"]
    assert len(await more.wait(2)) == 2
    assert await others.wait(1) == [{"namespace": "é"}]
    await asyncio.sleep(0.05)
    assert (len(stops.heard), len(more.heard), len(others.heard)) == (2, 2, 1)


async def test_who_cancels_hears_nothing_more(ends: Ends) -> None:
    gone, stays = Ear(), Ear()
    cancel = ends.listener.subscribe("stop", gone)
    ends.listener.subscribe("stop", stays)
    async with asyncio.timeout(5):
        await ends.listener.listening()
    cancel()
    cancel()
    ends.sender.send("stop", {})
    assert await stays.wait(1) == [{}]
    assert gone.heard == []


async def test_listening_goes_on_after_an_outage(processes: Callable[[str], RedisControl]) -> None:
    async with FlakyRedis(redis_here.URL) as line:
        sender, listener, ear = processes(redis_here.URL), processes(line.url), Ear()
        listener.subscribe("stop", ear)
        async with asyncio.timeout(5):
            await listener.listening()
            await line.cut()
            await asyncio.sleep(0.1)
            listener.send("stop", {"from": "here"})
            await asyncio.to_thread(listener.send, "stop", {"from": "a thread here"})
            assert [payload["from"] for payload in await ear.wait(2)] == ["here", "a thread here"]
            await line.mend()
            await listener.listening()
        sender.send("stop", {"from": "elsewhere"})
        assert (await ear.wait(3))[2] == {"from": "elsewhere"}
