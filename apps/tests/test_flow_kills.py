"""kill -9 in the midst of chatflows: every run ends, what was done is not done again, and readers hear everything once."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import aiohttp
import pytest
from django.conf import settings

from difyproj.testing.crash import until_none_runs
from difyproj.testing.flow_crash import BROKEN, NODES, ONCE, FlowQuestion, finished_nodes, make_flow
from difyproj.testing.flow_kill import Round, counting, make_apps
from difyproj.testing.process import Installation, ServerProcess, free_port, installation


@pytest.mark.parametrize("seed", [1, 2])
async def test_runs_go_on_after_a_kill(installed: Installation, seed: int) -> None:
    dice = random.Random(seed)
    server = await asyncio.to_thread(installed.start)
    token = await asyncio.to_thread(make_flow, installed)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        asked = [FlowQuestion(client, token) for _ in range(6)]
        asking = [asyncio.create_task(_asked(question, server.url, dice.uniform(0, 0.6))) for question in asked]
        await asyncio.sleep(dice.uniform(0.6, 2.0))
        await asyncio.to_thread(server.kill)
        done = finished_nodes(installed)
        await asyncio.gather(*asking)
        again = await asyncio.to_thread(installed.start)
        begun = [question for question in asked if question.task_id]
        reading = [asyncio.create_task(question.resume(again.url)) for question in begun if not question.is_over]
        await until_none_runs(installed)
        await asyncio.wait_for(asyncio.gather(*reading), 20)
    assert reading, "No run was interrupted."
    _compare(installed, begun, done)


async def test_another_process_goes_on_with_the_runs_of_a_dead_one(shared: Installation) -> None:
    """Readers of the other process hear the whole run, what was kept and not sent included."""
    dead, alive = [await asyncio.to_thread(shared.start) for _ in range(2)]
    token = await asyncio.to_thread(make_flow, shared)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        asked = [FlowQuestion(client, token) for _ in range(4)]
        asking = [asyncio.create_task(_asked(question, dead.url, 0.0)) for question in asked]
        while not all(question.task_id for question in asked):
            await asyncio.sleep(0.02)
        others = [FlowQuestion(client, token, query=question.query, task_id=question.task_id) for question in asked]
        reading = [asyncio.create_task(other.resume(alive.url)) for other in others]
        await asyncio.sleep(0.8)
        await asyncio.to_thread(dead.kill)
        done = finished_nodes(shared)
        await asyncio.gather(*asking)
        reading += [asyncio.create_task(question.resume(alive.url)) for question in asked if not question.is_over]
        await until_none_runs(shared)
        await asyncio.wait_for(asyncio.gather(*reading), 20)
    assert len(reading) > len(others), "No run was interrupted."
    _compare(shared, [*asked, *others], done)


async def test_requests_whose_ends_were_kept_are_not_made_again(tmp_path: Path, numbered: ServerProcess) -> None:
    """Three kills; a service counts what it is asked."""
    async with counting(free_port()) as service:
        allowed = " ".join(url.removeprefix("http://") for url in (numbered.url, service.url))
        places = {"postgres": settings.DATABASE_URL, "redis": settings.REDIS_URL}
        with installation(tmp_path, numbered.url, **places, EGRESS_ALLOW=allowed) as made:
            server = await asyncio.to_thread(made.start)
            tokens, dice, seen = await asyncio.to_thread(make_apps, made, service), random.Random(5), []
            for _ in range(3):
                figures, server = await Round(made, service, tokens, dice, longest_wait=0.3).kill(server, None)
                seen.append(figures)
    assert sum(figures.interrupted for figures in seen) and sum(figures.kept for figures in seen)


async def _asked(question: FlowQuestion, url: str, pause: float) -> None:
    await asyncio.sleep(pause)
    try:
        await question.ask(url)
    except BROKEN:
        return


def _compare(installed: Installation, begun: list[FlowQuestion], done: dict[str, str]) -> None:
    assert installed.rows("SELECT DISTINCT status FROM apps_run") == [("succeeded",)]
    after = finished_nodes(installed)
    assert {key: after[key] for key in done} == done
    assert len(after) == installed.rows("SELECT count(*) FROM apps_run")[0][0] * NODES
    for question in begun:
        told = {key: count for key, count in question.seen.items() if key[0] in ONCE}
        assert set(told.values()) == {1} and len(told) == 2 * NODES + 2, told
        (answer,) = installed.rows("SELECT answer FROM apps_message WHERE query = %s", question.query)[0]
        assert question.text == answer and answer.count(" / ") == 2
