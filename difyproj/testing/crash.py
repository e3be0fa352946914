"""One crash: a crowd asks, the server is killed in mid-stream and started again, and all is compared with what was kept."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

import aiohttp

from .process import Installation, ServerProcess
from .witness import Crowd, Kept, Question, kept, numbers

RUNNING = "SELECT count(*) FROM apps_run WHERE status = 'running'"


@dataclass(slots=True)
class Figures:
    """What one crash cost. Seconds; ``interrupted`` counts answers that the kill cut off, ``seen`` those that clients saw."""

    restart_seconds: float = 0.0
    reap_seconds: float = 0.0
    lost_seconds: float = 0.0
    lost_tokens: int = 0
    questions: int = 0
    interrupted: int = 0
    replaced: int = 0
    repeated: int = 0


async def crash(installation: Installation, server: ServerProcess, *, people: int, seed: int) -> tuple[Figures, ServerProcess]:
    """Kill the server under load at a random moment, start it again and assert that nothing was lost that must not be."""
    dice, figures = random.Random(seed), Figures()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        crowd = Crowd(installation, client, server.url, dice)
        crowd.gather(people)
        await asyncio.sleep(dice.uniform(1.5, 5.0))
        killed_at = await asyncio.to_thread(server.kill)
        await crowd.scatter()
        again = await asyncio.to_thread(installation.start)
        crowd.url, figures.restart_seconds = again.url, again.started_in
        figures.reap_seconds = await until_none_runs(installation) - killed_at
        await compare(crowd, killed_at, figures)
        await repeat(crowd, figures)
    return figures, again


async def until_none_runs(installation: Installation, seconds: float = 25.0) -> float:
    """Wait until no run is running; gives the moment."""
    deadline = time.monotonic() + seconds
    while installation.rows(RUNNING)[0][0]:
        assert time.monotonic() < deadline, f"{installation.rows(RUNNING)} still running"
        await asyncio.sleep(0.05)
    return time.monotonic()


async def compare(crowd: Crowd, killed_at: float, figures: Figures) -> None:
    """Every client that saw something holds the kept text once it has resumed."""
    rows = kept(crowd.installation, crowd.questions)
    figures.questions = len(crowd.questions)
    for question in crowd.questions:
        found = rows[question.query]
        assert len(found) <= 1, f"{len(found)} rows for one question"
        if not question.task_id:
            continue
        row = one(found)
        assert row.message_id == question.message_id.replace("-", "")
        assert numbers(row.answer) == list(range(len(row.answer.split())))
        if question.end is None:
            await _compare_interrupted(crowd, question, row, killed_at, figures)
        else:
            assert (row.answer, row.status) == (question.text, "succeeded")


async def _compare_interrupted(crowd: Crowd, question: Question, row: Kept, killed_at: float, figures: Figures) -> None:
    figures.interrupted += 1
    seen, before = question.text, len(question.events)
    figures.lost_seconds = max(figures.lost_seconds, question.lost_seconds(row.answer, killed_at))
    figures.lost_tokens = max(figures.lost_tokens, len(seen.split()) - len(row.answer.split()))
    await crowd.resume(question)
    assert question.text == row.answer
    assert question.end is not None
    if row.status == "succeeded":
        assert question.end["event"] == "message_end"
        return
    assert (row.status, row.error_code) == ("failed", "worker_lost")
    assert (question.end["event"], question.end["code"]) == ("error", "worker_lost")
    if seen != row.answer:
        assert question.events[before] == "message_replace"
        figures.replaced += 1


async def repeat(crowd: Crowd, figures: Figures) -> None:
    """The same keys and bodies again: those that were begun give their message, the others begin now, none has two rows."""
    before = kept(crowd.installation, crowd.questions)
    asked = crowd.questions[-40:]
    again = [Question(question.body, question.key) for question in asked]
    await asyncio.gather(*(crowd.ask(question) for question in again))
    after = kept(crowd.installation, crowd.questions)
    for first, second in zip(asked, again, strict=True):
        row = one(after[second.query])
        assert before[second.query] in ([], [row])
        assert second.end is not None
        if row.status == "succeeded":
            assert second.status == 200
            assert second.message_id.replace("-", "") == row.message_id
            assert second.text == row.answer
        else:
            assert (second.end["code"], row.error_code) == ("worker_lost", "worker_lost")
            assert second.text == (row.answer if second.is_streaming else "")
        assert first.message_id in ("", second.message_id) or second.status != 200
        figures.repeated += 1


def one(found: list[Kept]) -> Kept:
    assert len(found) == 1, f"{len(found)} rows for one question"
    return found[0]
