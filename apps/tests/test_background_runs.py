"""Runs that nobody waits for: a worker executes them, whoever reads or stops them, and another process goes on when it dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import aiohttp
import pytest
from asgiref.sync import sync_to_async
from django.test.utils import override_settings

from apps import generation
from apps.generation import places, queued, reaper
from apps.models import Run
from difyproj.infra import backends, jobs, leases
from difyproj.infra.backends import get_slots
from difyproj.infra.models import Job
from difyproj.testing.crash import until_none_runs
from difyproj.testing.flow_crash import ONCE, FlowQuestion, make_flow
from difyproj.testing.process import ROOT, Installation
from difyproj.testing.served import Served

from . import flows
from .flows import ECHO, Asked

WHOSE = "SELECT role, pid FROM apps_run JOIN infra_process ON infra_process.id = process_id WHERE apps_run.id = %s"
KEPT = "SELECT apps_run.status, answer FROM apps_run JOIN apps_message ON run_id = apps_run.id WHERE apps_run.id = %s"


@pytest.fixture(autouse=True)
def _own_adapters() -> None:
    backends.reset()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


def work(installation: Installation) -> subprocess.Popen[bytes]:
    """``manage.py work``."""
    with (installation.folder / "worker.log").open("ab") as output:
        return subprocess.Popen(
            (sys.executable, "manage.py", "work"), cwd=ROOT, env=installation.environment(), stdout=output, stderr=output
        )


async def begin(question: FlowQuestion, url: str) -> None:
    """The question, in the background."""
    body = {"inputs": {}, "user": "u1", "query": question.query, "response_mode": "async", "auto_generate_name": False}
    async with question.client.post(f"{url}/v1/chat-messages", json=body, headers=question._headers()) as response:
        told = await response.json()
        assert response.status == 202, told
    question.task_id = told["task_id"]
    assert told["url"] == response.headers["Location"] == f"{url}/v1/workflows/run/{question.task_id}"


async def test_a_worker_executes_a_run_and_another_one_goes_on_with_it(
    shared: Installation, client: aiohttp.ClientSession
) -> None:
    server, workers = await asyncio.to_thread(shared.start), [work(shared) for _ in range(2)]
    token = await asyncio.to_thread(make_flow, shared)
    questions = [FlowQuestion(client, token, query=f"{number} bench-60-20-20") for number in range(3)]
    killed, stopped, other = questions
    try:
        for question in questions:
            await begin(question, server.url)
        reading = [asyncio.create_task(question.resume(server.url)) for question in questions]
        await said(stopped)
        address = f"{server.url}/v1/chat-messages/{stopped.task_id}/stop"
        async with client.post(address, json={"user": "u1"}, headers=stopped._headers()) as response:
            assert response.status == 200
        await asyncio.wait_for(reading[1], 5)
        await said(killed)
        ((role, pid),) = shared.rows(WHOSE, UUID(killed.task_id))
        assert role == "worker"
        os.kill(pid, signal.SIGKILL)
        await until_none_runs(shared)
        await asyncio.wait_for(asyncio.gather(*reading), 10)
    finally:
        for one in workers:
            one.kill()
            one.wait()
    assert shared.rows(KEPT, UUID(stopped.task_id)) == [("stopped", stopped.text)]
    for question in (killed, other):
        assert shared.rows(KEPT, UUID(question.task_id)) == [("succeeded", question.text)]
        assert {count for event, count in question.seen.items() if event[0] in ONCE} == {1}
        ((role, another),) = shared.rows(WHOSE, UUID(question.task_id))
        assert role == "worker" and another != pid


async def said(question: FlowQuestion) -> None:
    async with asyncio.timeout(20):
        while not question.text:
            await asyncio.sleep(0.02)


@override_settings(BACKGROUND_RUNS="worker")
async def test_a_run_that_waits_for_a_worker_is_told_to_one_and_taken_once(house: Served) -> None:
    app = await sync_to_async(flows.make_flow)(house.cast.alice, ECHO)
    asked = await flows.ask(app, inputs={"word": "hi"}, in_background=True)
    reading = asyncio.create_task(asked.whole())
    assert await reaper.reap() == 0
    waiting = await Run.objects.aget(pk=asked.run_id)
    assert queued.is_waiting(waiting) and get_slots().active(places.slot_key(app.pk)) == 1
    assert await sync_to_async(jobs.run_waiting)(queued.KIND) == 1
    assert not await sync_to_async(generation.execute)(asked.run_id)
    assert (await asyncio.wait_for(reading, 5))["data"]["outputs"] == {"said": "hi"}
    assert await Job.objects.filter(kind=queued.KIND, result={"begun": True}).acount() == 1
    assert get_slots().active(places.slot_key(app.pk)) == 0


@override_settings(BACKGROUND_RUNS="worker")
async def test_a_run_that_no_worker_takes_in_time_is_a_web_processes(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    app = await sync_to_async(flows.make_flow)(house.cast.alice, ECHO)
    asked = await flows.ask(app, inputs={"word": "hi"}, in_background=True)
    monkeypatch.setattr(queued, "PATIENCE", timedelta(0))
    await reaper.reap()
    assert (await asyncio.wait_for(asked.whole(), 5))["data"]["outputs"] == {"said": "hi"}
    assert not await sync_to_async(generation.execute)(asked.run_id)


@override_settings(BACKGROUND_RUNS="worker")
async def test_a_run_that_waits_for_a_worker_can_be_stopped(house: Served) -> None:
    app = await sync_to_async(flows.make_flow)(house.cast.alice, ECHO)
    asked = await flows.ask(app, inputs={"word": "hi"}, in_background=True)
    assert await sync_to_async(generation.stop)(asked.principal, asked.run_id)
    assert (await asked.whole())["data"]["status"] == "stopped"
    await sync_to_async(jobs.run_waiting)(queued.KIND)
    assert (await Run.objects.aget(pk=asked.run_id)).status == "stopped"
    assert get_slots().active(places.slot_key(app.pk)) == 0


async def test_a_job_of_a_process_without_readers_has_a_web_process_execute_its_run(
    house: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = await sync_to_async(flows.make_flow)(house.cast.alice, ECHO)
    principal = await sync_to_async(flows.end_user)(app)
    monkeypatch.setattr(leases, "_role", leases.WORKER)
    request = generation.GenerateRequest(inputs={"word": "hi"})
    job = asyncio.create_task(sync_to_async(generation.run_to_end, thread_sensitive=False)(principal, app, request))
    while not await Run.objects.filter(app=app).aexists():
        await asyncio.sleep(0.01)
    monkeypatch.setattr(leases, "_role", leases.WEB)
    await reaper.reap()
    run_id = await asyncio.wait_for(job, 5)
    assert (await Asked(principal, run_id).whole())["data"]["outputs"] == {"said": "hi"}
