"""SIGTERM in mid-stream: answers may end for a moment, the rest ends with what it has, and the process goes."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from difyproj.testing.crash import RUNNING
from difyproj.testing.process import Installation
from difyproj.testing.witness import Crowd, Question, kept

MANY_WORKERS = ("--workers", "2")


@pytest.mark.parametrize("words", [(), MANY_WORKERS], ids=["one process", "two workers"])
async def test_answers_end_and_are_kept_before_the_process_goes(installed: Installation, words: tuple[str, ...]) -> None:
    if words and not installed.redis_url:
        pytest.skip("needs PostgreSQL and Redis: set DATABASE_URL and REDIS_URL")
    server = await asyncio.to_thread(installed.start, *words)
    async with aiohttp.ClientSession() as client:
        crowd = Crowd(installed, client, server.url)
        short = [crowd.question("100-5-20", streaming=streaming) for streaming in (True, False)]
        long = [crowd.question("5000-5-20", streaming=streaming) for streaming in (True, True, False)]
        asking = [asyncio.create_task(crowd.ask(question)) for question in (*short, *long)]
        await asyncio.sleep(1.0)
        seconds = await asyncio.to_thread(server.terminate)
        await asyncio.gather(*asking)
    assert seconds < 20
    assert installed.rows(RUNNING) == [(0,)]
    rows = kept(installed, crowd.questions)
    for question in short:
        (row,) = rows[question.query]
        assert (row.status, row.answer) == ("succeeded", question.text)
        assert len(row.answer.split()) == 100
    for question in long:
        (row,) = rows[question.query]
        assert (row.status, row.error_code) == ("failed", "worker_lost")
        assert len(row.answer.split()) > 200
        assert _end_of(question) == "worker_lost"
        assert question.text == (row.answer if question.is_streaming else "")


def _end_of(question: Question) -> str:
    return str(question.end and question.end["code"])


async def test_a_server_without_answers_under_way_goes_at_once(installed: Installation) -> None:
    server = await asyncio.to_thread(installed.start)
    assert await asyncio.to_thread(server.terminate) < 5
    stopped = installed.rows("SELECT count(*) FROM infra_process WHERE stopped_at IS NOT NULL")
    assert stopped == [(1,)]


def test_several_workers_are_refused_without_postgresql_and_redis(installed: Installation) -> None:
    installed.redis_url = ""
    done = installed.manage("serve", *MANY_WORKERS)
    assert done.returncode == 1
    assert "More than one worker needs PostgreSQL and Redis" in done.stderr
