"""``requests`` in code: only where the operator allows it, through the guard, and never twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from pytest_django import Settings

from difyproj.infra import egress as outbound
from difyproj.infra.sandbox import exchanges
from difyproj.infra.sandbox.sandbox import Sandbox
from difyproj.infra.sandbox.walls import WALLS
from difyproj.kernel.tests.wire import Request, Wire, reply, serve
from workflows.engine.ports import CodeExecutionError

from .sandboxes import BOUNDS, SECONDS, out, sandbox_behind

SLOW: Final = SECONDS + 2.5


@pytest.fixture(scope="module", params=list(WALLS))
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with sandbox_behind(request.param, requests=True) as made:
        yield made


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        if request.target.startswith("/slow"):
            await asyncio.sleep(SLOW)
        if request.target.startswith("/missing"):
            writer.write(reply(b"gone", "404 Not Found"))
        elif request.target.startswith("/away"):
            writer.write(reply(b"", "302 Found", Location="/found"))
        else:
            writer.write(reply('{"é": [1, null]}'.encode(), content_type="application/json"))

    await outbound.close_all()
    async with serve(script) as made:
        yield made
    await outbound.close_all()


def code(body: str) -> str:
    return "import requests\ndef main(url):\n    " + body.replace("\n", "\n    ")


async def test_code_reads_an_answer(sandbox: Sandbox, wire: Wire) -> None:
    body = (
        "r = requests.get(url, params={'q': ['a b', 'c'], 'none': None}, headers={'X-Key': 'k'}, timeout=(3, 5))\n"
        "r.raise_for_status()\n"
        "return {'out': [r.status_code, r.ok, r.reason, r.json(), r.text, len(r.content), r.headers['Content-Type']]}"
    )
    text = '{"é": [1, null]}'
    found = await out(sandbox, code(body), url=wire.url("/a"))
    assert found == [200, True, "OK", {"é": [1, None]}, text, len(text.encode()), "application/json"]
    (request,) = wire.requests
    assert (request.method, request.target, request.headers["x-key"]) == ("GET", "/a?q=a+b&q=c", "k")


@pytest.mark.parametrize(
    ("call", "kind", "sent"),
    [
        ("requests.post(url, json={'a': 'é'})", "application/json", b'{"a": "\\u00e9"}'),
        ("requests.post(url, {'a': [1, 2], 'b': 'x y'})", "application/x-www-form-urlencoded", b"a=1&a=2&b=x+y"),
        ("requests.put(url, data='text', headers={'content-type': 'text/plain'})", "text/plain", b"text"),
        ("requests.request('patch', url, data=b'\\x00\\xff')", "", b"\x00\xff"),
        ("requests.Session().post(url, json=[])", "application/json", b"[]"),
    ],
)
async def test_code_sends_a_body(sandbox: Sandbox, wire: Wire, call: str, kind: str, sent: bytes) -> None:
    assert await out(sandbox, code(f"return {{'out': {call}.status_code}}"), url=wire.url("/a")) == 200
    (request,) = wire.requests
    assert request.body == sent
    assert not kind or request.headers["content-type"] == kind


async def test_a_password_goes_as_the_header_that_it_is(sandbox: Sandbox, wire: Wire) -> None:
    await out(sandbox, code("return {'out': requests.get(url, auth=('a', 'b')).status_code}"), url=wire.url("/a"))
    assert wire.requests[0].headers["authorization"] == "Basic YTpi"


async def test_redirects_are_followed_unless_code_says_no(sandbox: Sandbox, wire: Wire) -> None:
    body = "return {'out': [requests.get(url).status_code, requests.get(url, allow_redirects=False).status_code]}"
    assert await out(sandbox, code(body), url=wire.url("/away")) == [200, 302]
    assert [request.target for request in wire.requests] == ["/away", "/found", "/away"]


async def test_a_status_is_an_error_only_when_code_asks_for_it(sandbox: Sandbox, wire: Wire) -> None:
    assert await out(sandbox, code("return {'out': requests.get(url).ok}"), url=wire.url("/missing")) is False
    caught = "try:\n    requests.get(url).raise_for_status()\nexcept Exception as error:\n    return {'out': str(error)}"
    told = await out(sandbox, code(caught), url=wire.url("/missing"))
    assert told == f"404 Error: Not Found for url: {wire.url('/missing')}"


async def test_the_guard_stands_before_addresses_inside(sandbox: Sandbox, wire: Wire, settings: Settings) -> None:
    settings.EGRESS_ALLOW = []
    await outbound.close_all()
    outbound.egress.cache_clear()
    try:
        for host in ("127.0.0.1", "localhost", "169.254.169.254", "[::1]"):
            with pytest.raises(CodeExecutionError, match="OSError"):
                await out(sandbox, code("return {'out': requests.get(url).text}"), url=f"http://{host}:{wire.port}/")
        with pytest.raises(CodeExecutionError, match="OSError"):
            await out(sandbox, code("return {'out': requests.get(url).text}"), url="file:///etc/passwd")
    finally:
        await outbound.close_all()
        outbound.egress.cache_clear()
    assert wire.connections == 0


async def test_waiting_for_an_answer_is_no_time_of_the_code(sandbox: Sandbox, wire: Wire) -> None:
    began = time.monotonic()
    assert await out(sandbox, code("return {'out': requests.get(url).status_code}"), url=wire.url("/slow")) == 200
    assert time.monotonic() - began >= SLOW
    with pytest.raises(CodeExecutionError, match=r"OSError: .*did not answer in time"):
        await out(sandbox, code("return {'out': requests.get(url, timeout=0.2).status_code}"), url=wire.url("/slow"))


async def test_code_asks_a_bounded_number_of_times(sandbox: Sandbox, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MOST_EXCHANGES", 3)
    with pytest.raises(CodeExecutionError, match="Code may make 3 requests"):
        await out(sandbox, code("while True: requests.get(url)"), url=wire.url("/a"))
    assert len(wire.requests) == 3


async def test_code_that_has_asked_is_not_run_again(sandbox: Sandbox, wire: Wire) -> None:
    with pytest.raises(CodeExecutionError, match="AttributeError"):
        await out(sandbox, code("requests.post(url)\nreturn {'out': 'x'.unheard_of()}"), url=wire.url("/a"))
    assert len(wire.requests) == 1


@pytest.mark.parametrize("bad", ["files={}", "cookies={}", "headers=[1]", "timeout='x'", "params=5", "data=object"])
async def test_what_is_not_known_is_an_error_of_the_code(sandbox: Sandbox, wire: Wire, bad: str) -> None:
    with pytest.raises(CodeExecutionError):
        await out(sandbox, code(f"return {{'out': requests.get(url, {bad}).status_code}}"), url=wire.url("/a"))
    assert wire.requests == []


async def test_without_the_operators_word_the_name_is_there_and_no_request_is_made(wire: Wire) -> None:
    sandbox = Sandbox(WALLS.get("embedded")(), size=1, bounds=BOUNDS)
    with pytest.raises(CodeExecutionError, match="may not make requests"):
        await out(sandbox, code("return {'out': requests.get(url).status_code}"), url=wire.url("/a"))
    with pytest.raises(CodeExecutionError, match="may not make requests"):
        await out(sandbox, code("return {'out': requests.Session().post(url).status_code}"), url=wire.url("/a"))
    assert await out(sandbox, code("return {'out': url[:4]}"), url=wire.url("/a")) == "http"
    await sandbox.aclose()
    assert wire.connections == 0
