"""Connections that drop, services that are away, a database that others lock: nobody's answer suffers."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing

import aiohttp
import pytest

from difyproj.testing.crash import RUNNING
from difyproj.testing.flaky_redis import FlakyRedis
from difyproj.testing.process import Installation, free_port
from difyproj.testing.witness import Crowd, Question, kept

CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
async def crowd(installed: Installation) -> AsyncIterator[Crowd]:
    """Clients of an installation whose server a test starts."""
    async with aiohttp.ClientSession() as client:
        yield Crowd(installed, client, "")


async def started(crowd: Crowd) -> Crowd:
    crowd.url = (await asyncio.to_thread(crowd.installation.start)).url
    return crowd


async def parameters(crowd: Crowd) -> int:
    headers = {"Authorization": f"Bearer {crowd.installation.token()}"}
    async with crowd.client.get(f"{crowd.url}/v1/conversations", params={"user": "u1"}, headers=headers) as response:
        return response.status


def assert_whole(crowd: Crowd, tokens: int) -> None:
    """Every question has its whole answer, at its client and in its one row."""
    rows = kept(crowd.installation, crowd.questions)
    for question in crowd.questions:
        (row,) = rows[question.query]
        assert (question.status, row.status) == (200, "succeeded")
        assert question.text == row.answer
        assert len(row.answer.split()) == tokens
    assert crowd.installation.rows(RUNNING) == [(0,)]


@pytest.fixture
def on_postgresql(installed: Installation) -> None:
    if not installed.database_url:
        pytest.skip("needs PostgreSQL: set DATABASE_URL")


@pytest.mark.usefixtures("on_postgresql")
async def test_connections_that_the_database_ended_cost_no_request(crowd: Crowd) -> None:
    await started(crowd)
    for _ in range(5):
        assert await asyncio.gather(*(parameters(crowd) for _ in range(8))) == [200] * 8
        assert crowd.installation.rows(CUT)
        assert await asyncio.gather(*(parameters(crowd) for _ in range(8))) == [200] * 8
        await crowd.ask(crowd.question("5-5-5"))
    asking = [asyncio.create_task(crowd.ask(crowd.question("5-300-300", streaming=n % 2 > 0))) for n in range(6)]
    await asyncio.sleep(0.8)
    crowd.installation.rows(CUT)
    await asyncio.gather(*asking)
    assert_whole(crowd, 5)


@pytest.mark.usefixtures("on_postgresql")
async def test_connections_that_end_at_any_moment_cost_no_answer(crowd: Crowd) -> None:
    """A request that loses its connection twice is told to come again; the others do not notice."""
    await started(crowd)
    until = time.monotonic() + 4.0

    async def ask_on(place: int) -> None:
        while time.monotonic() < until:
            asked = await crowd.ask(crowd.question("20-5-5", streaming=place % 2 > 0))
            if asked.status == 503:
                crowd.questions.remove(asked)

    async def cut_on() -> None:
        while time.monotonic() < until:
            await asyncio.to_thread(crowd.installation.rows, CUT)
            await asyncio.sleep(0.2)

    await asyncio.gather(cut_on(), *(ask_on(place) for place in range(6)))
    assert len(crowd.questions) > 20
    assert_whole(crowd, 20)


@pytest.mark.usefixtures("on_postgresql")
async def test_an_answer_that_ends_while_the_database_is_away_is_kept_when_it_is_back(crowd: Crowd) -> None:
    await started(crowd)
    name = crowd.installation.database_url.rpartition("/")[2]
    asking = [asyncio.create_task(crowd.ask(crowd.question("100-5-10", streaming=n % 2 > 0))) for n in range(4)]
    await asyncio.sleep(0.5)
    away = Installation(crowd.installation.folder, "", crowd.installation.database_url.replace(name, "postgres"))
    away.rows(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    away.rows(CUT.replace("current_database()", "%s"), name)
    await asyncio.sleep(3.0)
    assert not any(task.done() for task in asking)
    away.rows(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await asyncio.wait_for(asyncio.gather(*asking), 10)
    assert_whole(crowd, 100)


async def test_a_database_that_somebody_locks_for_two_seconds_is_waited_for(crowd: Crowd) -> None:
    if crowd.installation.database_url:
        pytest.skip("PostgreSQL has no such lock")
    await started(crowd)
    with closing(sqlite3.connect(crowd.installation.folder / "var" / "db.sqlite3", isolation_level=None)) as other:
        for _ in range(2):
            asking = [asyncio.create_task(crowd.ask(crowd.question("50-5-10", streaming=n % 2 > 0))) for n in range(8)]
            await asyncio.sleep(0.3)
            other.execute("BEGIN IMMEDIATE")
            asking += [asyncio.create_task(crowd.ask(crowd.question("50-5-10"))) for _ in range(4)]
            await asyncio.sleep(2.0)
            other.execute("ROLLBACK")
            await asyncio.gather(*asking)
    assert_whole(crowd, 50)


async def test_without_its_redis_a_process_answers_and_stops_on_its_own(crowd: Crowd) -> None:
    crowd.installation.redis_url = f"redis://127.0.0.1:{free_port()}/0"
    await started(crowd)
    began = time.monotonic()
    await asyncio.gather(*(crowd.ask(crowd.question("20-5-5", streaming=n % 2 > 0)) for n in range(6)))
    assert time.monotonic() - began < 5
    assert_whole(crowd, 20)
    question = crowd.question("5000-5-10")
    asking = asyncio.create_task(crowd.ask(question))
    await asyncio.sleep(1.0)
    await stop(crowd, question)
    await asyncio.wait_for(asking, 5)
    (row,) = kept(crowd.installation, [question])[question.query]
    assert (row.status, row.answer) == ("stopped", question.text)


async def stop(crowd: Crowd, question: Question) -> None:
    headers = {"Authorization": f"Bearer {crowd.installation.token()}"}
    address = f"{crowd.url}/v1/chat-messages/{question.task_id}/stop"
    async with crowd.client.post(address, json={"user": "u1"}, headers=headers) as response:
        assert response.status == 200


async def test_a_redis_that_goes_and_comes_back_disturbs_no_answer(crowd: Crowd) -> None:
    if not crowd.installation.redis_url:
        pytest.skip("needs Redis: set REDIS_URL")
    async with FlakyRedis(crowd.installation.redis_url) as line:
        crowd.installation.redis_url = line.url
        await started(crowd)
        other = await asyncio.to_thread(crowd.installation.start)
        asking = [asyncio.create_task(crowd.ask(crowd.question("300-5-10", streaming=n % 2 > 0))) for n in range(4)]
        async with asyncio.timeout(10):
            while not crowd.questions[1].task_id:
                await asyncio.sleep(0.02)
        reader = Question(crowd.questions[1].body, task_id=crowd.questions[1].task_id)
        following = asyncio.create_task(crowd.resume(reader, at=other.url))
        await asyncio.sleep(0.3)
        await line.cut()
        asking += [asyncio.create_task(crowd.ask(crowd.question("300-5-5"))) for _ in range(2)]
        await asyncio.sleep(1.0)
        await line.mend()
        await asyncio.wait_for(asyncio.gather(*asking, following), 20)
        assert_whole(crowd, 300)
        assert reader.text == crowd.questions[1].text
        await line.cut()
        asking = [asyncio.create_task(crowd.ask(crowd.question("300-5-5"))) for _ in range(2)]
        await asyncio.wait_for(asyncio.gather(*asking), 10)
        late = Question(crowd.questions[-1].body, task_id=crowd.questions[-1].task_id)
        await asyncio.wait_for(crowd.resume(late, at=other.url), 10)
        assert late.text == crowd.questions[-1].text
