"""Prompts, provider keys and tokens never leave by an answer, an event, a log line or a row that people read."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import pytest
from django.conf import settings

from apps.models import Message, Run
from difyproj.kernel import logs
from difyproj.testing.process import Installation
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script

from .talk import talk

PROVIDER_KEY = "sk-test-0123456789abcdef"
PROMPT = "THE SECRET PROMPT"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that is logged, as production writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


def assert_no_secret(house: Served, *texts: str) -> None:
    for text in texts:
        for secret in (PROVIDER_KEY, PROMPT, house.chat.token, house.foreign.token):
            assert secret not in text


FAILURES = [
    Script(fail=401, fail_message=f"Incorrect API key provided: {PROVIDER_KEY}"),
    Script(fail=400, fail_message=f"Bearer {PROVIDER_KEY} is odd"),
    Script(fail=400, fail_message=f"bad header Authorization: {PROVIDER_KEY} of 3 headers"),
    Script(tokens=["a", "b"], delay=0.03, stream_error=f"key {PROVIDER_KEY} was revoked"),
    Script(tokens=["a", "b"], disconnect_after=1),
    Script(),
]


@pytest.mark.parametrize("script", FAILURES)
@pytest.mark.parametrize("mode", ["streaming", "blocking"])
async def test_a_failing_provider_betrays_nothing(house: Served, log: io.StringIO, script: Script, mode: str) -> None:
    await house.configure(house.chat, pre_prompt=PROMPT)
    house.upstream.script = script
    answer = await house.ask(response_mode=mode)
    async with talk(house) as socket:
        await socket.ask()
        heard = await socket.hear_until("message_end", "error")
    kept = [str(row) async for row in Message.objects.values()] + [str(row) async for row in Run.objects.values()]
    assert house.upstream.last.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert_no_secret(house, answer.body.decode(), str(heard), str(answer.headers), log.getvalue(), *kept)


async def test_no_get_tells_prompt_or_key(house: Served, log: io.StringIO) -> None:
    await house.configure(house.chat, pre_prompt=PROMPT)
    body = (await house.ask(response_mode="blocking")).json()
    for path in (
        "/v1/info",
        "/v1/parameters",
        "/v1/meta",
        "/v1/site",
        "/v1/conversations?user=u1",
        f"/v1/messages?user=u1&conversation_id={body['conversation_id']}",
        f"/v1/runs/{body['task_id']}/events",
        "/v1/app/feedbacks",
        "/v1/openapi.json",
    ):
        for accept in ("application/json", "text/html,application/xhtml+xml"):
            answer = await house.call("GET", path, headers={"Accept": accept})
            assert answer.status == 200
            assert_no_secret(house, answer.body.decode())
    assert_no_secret(house, log.getvalue())


async def test_the_request_line_says_who_asked_and_no_token(house: Served, log: io.StringIO) -> None:
    await house.call("GET", "/v1/conversations?user=u1&token=app-in-the-address", headers={"X-Request-ID": "r-17"})
    (line,) = [line for line in log.getvalue().splitlines() if "API request completed" in line]
    assert '"request_id":"r-17"' in line
    assert f'"app_id":"{house.chat.app.pk}"' in line
    assert '"user_id":"' in line
    assert '"endpoint":"/v1/conversations"' in line
    assert '"status_code":200' in line
    assert "app-in-the-address" not in log.getvalue().replace("uvicorn", "")


@pytest.mark.parametrize("path", ["/v1/chat-messages", "/v1/nope", "/v1/files/upload"])
async def test_a_refused_request_does_not_log_its_token(house: Served, log: io.StringIO, path: str) -> None:
    wrong = "app-wrong-but-perhaps-somebody-elses"
    await house.call("POST", path, json={}, headers={"Authorization": f"Bearer {wrong}"})
    assert wrong not in log.getvalue()


async def test_a_crash_does_not_log_the_body_or_the_token(
    house: Served, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_BODY_BYTES", None)
    answer = await house.ask("a question with a SECRET")
    assert (answer.status, answer.json()["code"]) == (500, "internal_server_error")
    assert "Unhandled exception" in log.getvalue()
    assert "a question with a SECRET" not in log.getvalue()
    assert_no_secret(house, log.getvalue())


async def test_a_real_server_logs_each_request_once_and_no_signature(installed: Installation) -> None:
    """Whoever has a signed address may see the file: the address is a credential."""
    server = await asyncio.to_thread(installed.start)
    form = aiohttp.FormData()
    form.add_field("file", b"x", filename="a.txt", content_type="text/plain")
    headers = {"Authorization": f"Bearer {installed.token()}"}
    async with aiohttp.ClientSession() as client:
        async with client.post(server.url + "/v1/files/upload", data=form, headers=headers) as answer:
            address = urlsplit((await answer.json())["source_url"])
        for _ in range(2):
            async with client.get(f"{server.url}{address.path}?{address.query}") as answer:
                assert answer.status == 200
    signature = dict(parse_qsl(address.query))["sign"]
    await asyncio.to_thread(server.terminate)
    lines = [line for line in server.log.splitlines() if address.path in line]
    assert len(lines) == 2 and all("API request completed" in line for line in lines)
    assert "sign=" not in server.log and signature not in server.log
