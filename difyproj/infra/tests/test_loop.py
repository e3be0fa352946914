"""Ending a task of the loop."""

from __future__ import annotations

import asyncio

import pytest

from difyproj.infra import loop


async def test_a_task_that_loses_its_first_cancellation_is_ended_all_the_same() -> None:
    lost = 0

    async def deaf_at_first() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    task = asyncio.create_task(deaf_at_first())
    await asyncio.sleep(0)
    await asyncio.wait_for(loop.end(task), 10)
    assert task.cancelled()
    assert lost == 1


async def test_a_task_that_failed_is_ended_without_its_error() -> None:
    async def fail() -> None:
        raise ValueError("of its own")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    await loop.end(task)
    assert isinstance(task.exception(), ValueError)


def test_a_thread_waits_for_work_on_the_loop_and_for_no_longer_than_it_should() -> None:
    ended: list[str] = []

    async def work(seconds: float) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return "done"

    def not_wanted() -> None:
        raise RuntimeError("not wanted any more")

    assert loop.wait(work(0), seconds=10, check=not_wanted) == "done"
    with pytest.raises(TimeoutError):
        loop.wait(work(60), seconds=0.01)
    with pytest.raises(RuntimeError):
        loop.wait(work(60), seconds=60, check=not_wanted)
    loop.wait(work(0), seconds=10)
    assert ended == ["cancelled", "cancelled"]
