"""While answers stream, the event loop never waits for the database or for Redis: only threads of the pool do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.db.backends.base.base import BaseDatabaseWrapper

from difyproj.testing.served import Served, next_frame
from difyproj.testing.upstream import Script

ROW_WORK = ("connect", "_cursor", "_commit", "_rollback", "is_usable")


@pytest.fixture
def threads_of_row_work(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of the threads that ask the database or, without the loop's own client, Redis."""
    seen: set[str] = set()

    def noting(work: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **kwargs: Any) -> Any:
            seen.add(threading.current_thread().name)
            return work(*args, **kwargs)

        return noted

    for name in ROW_WORK:
        if hasattr(BaseDatabaseWrapper, name):
            monkeypatch.setattr(BaseDatabaseWrapper, name, noting(getattr(BaseDatabaseWrapper, name)))
    monkeypatch.setattr(redis.Redis, "execute_command", noting(redis.Redis.execute_command))
    return seen


async def test_row_work_of_a_stream_is_done_in_the_pool(house: Served, threads_of_row_work: set[str]) -> None:
    house.upstream.script = Script(tokens=[f"t{number} " for number in range(40)], delay=0.005)
    threads_of_row_work.clear()
    streamed, blocking = await asyncio.gather(house.ask(), house.ask(response_mode="blocking"))
    assert (streamed.status, blocking.status) == (200, 200)
    task = streamed.frames[0].record["task_id"]
    assert (await house.call("GET", f"/v1/runs/{task}/events", params={"user": "u1"})).frames
    async with house.asking() as response:
        stopped = (await next_frame(response)).record["task_id"]
        await house.call("POST", f"/v1/chat-messages/{stopped}/stop", json={"user": "u1"})
        await response.read()
    async with house.asking() as response:
        await next_frame(response)
    house.upstream.script = Script(fail=500)
    assert (await house.ask()).frames[-1].event == "error"
    await asyncio.sleep(0.3)
    assert threads_of_row_work
    assert {name.partition("_")[0] for name in threads_of_row_work} == {"db"}
