"""kill -9 in mid-stream: nothing runs for ever, next to nothing is lost, and readers end with what was kept."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from difyproj.testing.crash import Figures, compare, crash, until_none_runs
from difyproj.testing.process import Installation
from difyproj.testing.witness import Crowd, kept

# Seconds of text that a kill may cost: RUN_CHECKPOINT_SECONDS and its margin, or the writer's pause with Redis.
LOST_WITHOUT_REDIS, LOST_WITH_REDIS = 5.0, 0.2


@pytest.mark.parametrize("seed", [1, 2])
async def test_what_a_kill_in_the_midst_of_many_answers_costs(installed: Installation, seed: int) -> None:
    server = await asyncio.to_thread(installed.start)
    figures, _ = await crash(installed, server, people=30, seed=seed)
    assert figures.interrupted >= 5
    assert figures.repeated > figures.interrupted
    assert figures.reap_seconds < 20
    assert figures.lost_seconds <= (LOST_WITH_REDIS if installed.redis_url else LOST_WITHOUT_REDIS)


async def test_a_long_answer_is_kept_up_to_its_last_checkpoint(installed: Installation) -> None:
    installed.settings["RUN_CHECKPOINT_SECONDS"] = "0.2"
    server = await asyncio.to_thread(installed.start)
    async with aiohttp.ClientSession() as client:
        crowd = Crowd(installed, client, server.url)
        question = crowd.question("1000-5-10")
        asking = asyncio.create_task(crowd.ask(question))
        await asyncio.sleep(2.0)
        killed_at = server.kill()
        with pytest.raises(aiohttp.ClientError):
            await asking
        crowd.url = (await asyncio.to_thread(installed.start)).url
        await until_none_runs(installed)
        (row,) = kept(installed, [question])[question.query]
        assert question.text.startswith(row.answer) or row.answer.startswith(question.text)
        assert question.lost_seconds(row.answer, killed_at) < 0.6
        assert len(row.answer.split()) > 80
        await compare(crowd, killed_at, Figures())
        await crowd.resume(question, after=0)
        assert (question.text, question.end and question.end["event"]) == (row.answer, "error")
