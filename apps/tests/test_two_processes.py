"""Two servers on one database and one Redis: each can follow, stop and inherit what the other one does."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import aiohttp
import pytest

from difyproj.testing.crash import until_none_runs
from difyproj.testing.process import Installation, ServerProcess
from difyproj.testing.witness import BROKEN, Crowd, Question, kept

ACTIVE_LIMIT = 3


@dataclass(slots=True)
class Pair:
    """Servers A and B, and a crowd that asks A."""

    a: ServerProcess
    b: ServerProcess
    crowd: Crowd

    async def stop(self, question: Question, *, user: str, at: str) -> int:
        headers = {"Authorization": f"Bearer {self.crowd.installation.token()}"}
        address = f"{at}/v1/chat-messages/{question.task_id}/stop"
        async with self.crowd.client.post(address, json={"user": user}, headers=headers) as response:
            return response.status

    async def begin(self, spec: str) -> tuple[Question, asyncio.Task[Question]]:
        """A question to A whose answer has begun."""
        question = self.crowd.question(spec)
        asking = asyncio.create_task(self.crowd.ask(question))
        while len(question.text.split()) < 3:
            assert not asking.done(), question
            await asyncio.sleep(0.01)
        return question, asking

    def reader(self, question: Question) -> Question:
        """Another reader of the same answer, who has seen nothing yet."""
        return Question(question.body, task_id=question.task_id)


@pytest.fixture
async def pair(shared: Installation) -> AsyncIterator[Pair]:
    shared.settings["APP_MAX_ACTIVE_REQUESTS"] = str(ACTIVE_LIMIT)
    a = await asyncio.to_thread(shared.start)
    b = await asyncio.to_thread(shared.start)
    async with aiohttp.ClientSession() as client:
        yield Pair(a, b, Crowd(shared, client, a.url))


async def test_a_reader_follows_and_a_user_stops_a_run_of_the_other_process(pair: Pair) -> None:
    question, asking = await pair.begin("2000-5-10")
    other = pair.reader(question)
    following = asyncio.create_task(pair.crowd.resume(other, at=pair.b.url))
    await asyncio.sleep(1.5)
    assert len(question.text) - len(other.text) < 250
    assert other.text.startswith("t0")
    assert other.growth[0][0] - question.growth[0][0] < 1.0
    assert await pair.stop(question, user="somebody else", at=pair.b.url) == 200
    await asyncio.sleep(0.5)
    assert not asking.done()
    stopped_at = time.monotonic()
    assert await pair.stop(question, user="u1", at=pair.b.url) == 200
    await asyncio.wait_for(asyncio.gather(asking, following), 5)
    assert question.growth[-1][0] - stopped_at < 1.0
    (row,) = kept(pair.crowd.installation, [question])[question.query]
    assert (row.status, row.answer) == ("stopped", question.text)
    assert other.text == question.text
    assert (question.events[-1], other.events[-1]) == ("message_end", "message_end")
    assert "message_replace" not in other.events


async def test_the_other_process_ends_what_a_killed_one_left(pair: Pair) -> None:
    begun = [await pair.begin("3000-5-10") for _ in range(ACTIVE_LIMIT)]
    questions, asking = [question for question, _ in begun], [task for _, task in begun]
    others = [pair.reader(question) for question in questions]
    following = [asyncio.create_task(pair.crowd.resume(other, at=pair.b.url)) for other in others]
    refused = await pair.crowd.ask(pair.crowd.question("5-5-5"), at=pair.b.url)
    assert (refused.status, refused.end and refused.end["code"]) == (429, "too_many_requests")
    await asyncio.sleep(0.5)
    killed_at = pair.a.kill()
    ends = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(end, BROKEN) for end in ends)
    assert await until_none_runs(pair.crowd.installation) - killed_at < 20
    await asyncio.wait_for(asyncio.gather(*following), 10)
    rows = kept(pair.crowd.installation, questions)
    for question, other in zip(questions, others, strict=True):
        (row,) = rows[question.query]
        assert (row.status, row.error_code) == ("failed", "worker_lost")
        assert question.lost_seconds(row.answer, killed_at) < 0.2
        await pair.crowd.resume(question, at=pair.b.url)
        assert question.text == other.text == row.answer
        assert (question.events[-1], other.events[-1]) == ("error", "error")
    again = await pair.crowd.ask(pair.crowd.question("5-5-5"), at=pair.b.url)
    assert (again.status, len(again.text.split())) == (200, 5)


async def test_servers_that_start_at_the_same_moment_prepare_the_database_once(shared: Installation) -> None:
    servers = await asyncio.gather(*(asyncio.to_thread(shared.start) for _ in range(2)))
    assert len({server.url for server in servers}) == 2
    assert shared.rows("SELECT count(*) FROM accounts_tenant") == [(1,)]
    assert len(shared.facts()["apps"]) == shared.rows("SELECT count(*) FROM apps_app")[0][0]


async def test_a_key_is_used_once_also_when_it_comes_to_both_at_once(pair: Pair) -> None:
    first = pair.crowd.question("100-5-5")
    second = Question(first.body, first.key)
    await asyncio.gather(pair.crowd.ask(first), pair.crowd.ask(second, at=pair.b.url))
    (row,) = kept(pair.crowd.installation, [first])[first.query]
    assert first.text == second.text == row.answer
    assert first.message_id == second.message_id
    assert str(UUID(row.message_id)) == first.message_id


CHANGE = """
import sys, time
from apps.models import ApiToken, App
from apps.services import apps, tokens
app = App.objects.get(mode="chat")
apps.update(app, config={**app.config, "opening_statement": "changed"})
print("edited", time.monotonic(), flush=True)
time.sleep(1.0)
tokens.set_active(ApiToken.objects.get(app=app), is_active=False)
print("closed", time.monotonic(), flush=True)
"""


async def test_an_edit_in_one_process_is_seen_by_all_within_a_second(pair: Pair) -> None:
    headers = {"Authorization": f"Bearer {pair.crowd.installation.token()}"}
    seen: dict[str, dict[str, float]] = {pair.a.url: {}, pair.b.url: {}}

    async def watch(url: str) -> None:
        while "closed" not in seen[url]:
            async with pair.crowd.client.get(f"{url}/v1/parameters", headers=headers) as response:
                if response.status == 401:
                    seen[url]["closed"] = time.monotonic()
                elif (await response.json())["opening_statement"] == "changed":
                    seen[url].setdefault("edited", time.monotonic())
            await asyncio.sleep(0.02)

    watching = [asyncio.create_task(watch(url)) for url in seen]
    await asyncio.sleep(0.2)
    done = await asyncio.to_thread(pair.crowd.installation.manage, "shell", "--no-imports", "--command", CHANGE)
    await asyncio.wait_for(asyncio.gather(*watching), 5)
    changed = {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines() if line}
    for moments in seen.values():
        assert {what: moments[what] - changed[what] < 1.0 for what in changed} == {"edited": True, "closed": True}


async def test_a_process_that_hung_ends_its_answers_as_its_heir_kept_them(pair: Pair) -> None:
    question, asking = await pair.begin("5000-5-10")
    await asyncio.sleep(1.0)
    os.killpg(pair.a.pid, signal.SIGSTOP)
    hung_at = time.monotonic()
    assert await until_none_runs(pair.crowd.installation) - hung_at < 20
    (row,) = kept(pair.crowd.installation, [question])[question.query]
    os.killpg(pair.a.pid, signal.SIGCONT)
    await asyncio.wait_for(asking, 15)
    assert kept(pair.crowd.installation, [question])[question.query] == [row]
    assert question.events[-2:] == ["message_replace", "error"]
    assert question.text == row.answer
    assert question.end
    assert question.end["code"] == row.error_code == "worker_lost"
    fresh = await pair.crowd.ask(pair.crowd.question("5-5-5"))
    assert (fresh.status, fresh.events[-1]) == (200, "message_end")
