"""Background work begins with the lifespan, or with the first request where the server has none."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import aiohttp
import pytest

from apps.generation import background
from difyproj.asgi import Application
from difyproj.infra import backends
from difyproj.infra.models import Process
from difyproj.testing.cast import Cast
from difyproj.testing.process import Installation, free_port, start
from difyproj.testing.served import parse_frames, serve

BODY = {"inputs": {}, "query": "Hello?", "user": "u1", "response_mode": "streaming"}


@pytest.fixture
async def bare(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Application]:
    """The application under a server that says nothing of starting and stopping."""
    backends.reset()
    monkeypatch.setattr(background, "DRAIN_SECONDS", 0.2)
    application = Application()
    yield application
    await application._stop()


async def test_requests_that_come_first_together_start_it_once(bare: Application) -> None:
    async with serve(bare, lifespan="off") as url, aiohttp.ClientSession() as client:
        async with client.get(url + "/health/live") as answer:
            assert answer.status == 200
        assert not await Process.objects.aexists()
        statuses = await asyncio.gather(*(_status(client, url + "/v1/info") for _ in range(5)))
        assert statuses == [401] * 5
        assert await Process.objects.acount() == 1
        assert await _status(client, url + "/admin/login/") == 200
        assert await Process.objects.filter(stopped_at=None).acount() == 1


async def test_a_start_that_failed_is_tried_again(bare: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(self: background.Background) -> None:
        raise OSError("The database is away.")

    async with serve(bare, lifespan="off") as url, aiohttp.ClientSession() as client:
        with monkeypatch.context() as patched:
            patched.setattr(background.Background, "start", fail)
            assert await _status(client, url + "/v1/info") == 500
        assert await _status(client, url + "/v1/info") == 401
        assert await Process.objects.acount() == 1


async def _status(client: aiohttp.ClientSession, url: str) -> int:
    async with client.get(url) as answer:
        return answer.status


async def test_daphne_streams_an_answer_and_keeps_its_heartbeat(untouched: Installation) -> None:
    made = await asyncio.to_thread(untouched.manage, "migrate")
    assert made.returncode == 0, made.stderr
    await asyncio.to_thread(untouched.manage, "bootstrap")
    port = free_port()
    command = (sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "difyproj.asgi:application")
    server = await asyncio.to_thread(start, command, port, untouched.environment(), untouched.folder / "daphne.log")
    try:
        headers = {"Authorization": f"Bearer {untouched.token()}"}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.post(server.url + "/v1/chat-messages", json=BODY) as answer,
        ):
            frames = parse_frames(await answer.read())
        assert frames[-1].event == "message_end", server.log
        assert [frame.id for frame in frames if frame.id] == sorted({frame.id for frame in frames if frame.id})
        assert untouched.rows("SELECT count(*) FROM infra_process WHERE stopped_at IS NULL") == [(1,)]
        assert untouched.rows("SELECT status FROM apps_run") == [("succeeded",)]
    finally:
        server.end()
