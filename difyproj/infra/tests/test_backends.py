"""The setting chooses where a process's adapters keep their state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pytest_django import Settings

from difyproj.infra import backends, redis_client
from difyproj.infra.control import MemoryControl
from difyproj.infra.control_redis import RedisControl
from difyproj.infra.event_log import MemoryEventLog
from difyproj.infra.event_log_redis import RedisEventLog
from difyproj.infra.slots import MemorySlots
from difyproj.infra.slots_redis import RedisSlots
from difyproj.infra.tests import redis_here


@pytest.fixture(autouse=True)
async def _fresh() -> AsyncIterator[None]:
    backends.reset()
    yield
    await backends.aclose()


async def test_without_redis_everything_is_in_memory(settings: Settings) -> None:
    settings.REDIS_URL = ""
    settings.EVENT_LOG_RETENTION_SECONDS = 7.0
    log = backends.get_event_log(str.encode, bytes.decode)
    assert isinstance(log, MemoryEventLog)
    assert log.retention == 7.0
    assert isinstance(backends.get_slots(), MemorySlots)
    assert isinstance(backends.get_control(), MemoryControl)
    assert backends.get_event_log(str.encode, bytes.decode) is log
    backends.reset()
    assert backends.get_event_log(str.encode, bytes.decode) is not log


async def test_with_redis_everything_is_shared(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = redis_here.url_or_skip()
    monkeypatch.setattr(redis_client, "KEY_PREFIX", redis_here.fresh_prefix())
    log, slots, control = backends.get_event_log(str.encode, bytes.decode), backends.get_slots(), backends.get_control()
    assert isinstance(log, RedisEventLog)
    assert isinstance(slots, RedisSlots)
    assert isinstance(control, RedisControl)
    run, heard = uuid4(), asyncio.Event()
    control.subscribe("stop", lambda payload: heard.set())
    async with asyncio.timeout(5):
        await control.listening()
        await asyncio.to_thread(control.send, "stop", {})
        await heard.wait()
    log.append(run, 1, ["a"])
    assert await asyncio.to_thread(slots.take, "app", 1, "holder")
    assert not await asyncio.to_thread(slots.take, "app", 1, "another")
    await backends.aclose()
    again = backends.get_event_log(str.encode, bytes.decode)
    assert await again.read_all(run) == [(1, "a")]
    redis_here.forget(redis_client.KEY_PREFIX)


async def test_another_installation_in_another_database_of_the_same_redis_is_not_heard(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = here = redis_here.url_or_skip()
    monkeypatch.setattr(redis_client, "KEY_PREFIX", redis_here.fresh_prefix())
    listener, heard = backends.get_control(), asyncio.Queue[dict[str, str]]()
    listener.subscribe("stop", heard.put_nowait)
    async with asyncio.timeout(5):
        await listener.listening()
        for url in (f"{here.rpartition('/')[0]}/11", here):
            settings.REDIS_URL = url
            redis_client.reset()
            await asyncio.to_thread(backends.family().control().send, "stop", {"from": url})
        assert await heard.get() == {"from": here}
