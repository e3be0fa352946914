"""Whatever address a caller names, nothing is reached inside (D1): every fetcher that an API can be made to use.

The egress client has its own tests; these say that nobody goes around it, and what callers are told.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from asgiref.sync import sync_to_async
from pytest_django import Settings

from difyproj.infra import egress as outbound
from difyproj.infra import jobs
from difyproj.infra.http_port import GuardedHttp
from difyproj.kernel.tests.wire import Request, Wire, reply, serve
from difyproj.settings.sign_in import OPENID_CONNECT, SignInProvider
from difyproj.testing.console import TierClient, signed_in, visiting
from difyproj.testing.fakes import scripted
from difyproj.testing.flows import ECHO, make_flow
from difyproj.testing.served import Answer, Served
from workflows.engine.events import RunFailed
from workflows.engine.graph import Edge, Graph, NodeSpec
from workflows.engine.pool import VariablePool
from workflows.engine.walk import run
from workflows.models import CallbackDelivery
from workflows.nodes import NODES
from workflows.services import callbacks

# This machine in every writing, its networks, and where clouds keep their secrets.
HOSTS = (
    "127.0.0.1", "localhost", "LOCALHOST.", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001",
    "0", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "①②⑦.⓪.⓪.①",
    "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "100.100.100.200", "192.0.0.192",
    "[fd00:ec2::254]", "[fe80::1]", "[::ffff:169.254.169.254]",
)  # fmt: skip
IMAGES = {
    "enabled": True,
    "allowed_file_types": ["image"],
    "allowed_file_upload_methods": ["remote_url"],
    "image": {"enabled": True, "transfer_methods": ["remote_url"]},
}
Fetch = Callable[[Served, str], Coroutine[Any, Any, Answer]]


@pytest.fixture
async def trap() -> AsyncIterator[Wire]:
    """A server of this machine that no request may reach."""

    async def greet(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"\x89PNG inside", Content_Type="image/png"))

    async with serve(greet) as wire:
        yield wire


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Every address that this process connects to meanwhile."""
    addresses: list[Any] = []
    connect = socket.socket.connect

    def noting(self: socket.socket, address: Any) -> None:
        addresses.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noting)
    yield addresses


@pytest.fixture
async def strict(house: Served, settings: Settings) -> AsyncIterator[Served]:
    """Only the fake upstream may be connected to, not this machine."""
    settings.EGRESS_ALLOW = [urlsplit(house.upstream.url).netloc]
    await forget_clients()
    await house.configure(house.chat, file_upload=IMAGES)
    yield house
    await forget_clients()


async def forget_clients() -> None:
    """The next call reads the settings again."""
    await outbound.close_all()
    for client in (outbound.egress, outbound.model_egress, outbound.sign_in_egress):
        client.cache_clear()


def credential(url: str) -> dict[str, Any]:
    return {"credentials": {"openai_api_key": "sk-x", "openai_api_base": url}}


PROVIDER = "/workspaces/current/model-providers/openai"


async def add_provider(house: Served, url: str) -> Answer:
    return await (await signed_in(house, house.cast.alice)).post(f"{PROVIDER}/credentials", credential(url))


async def add_model(house: Served, url: str) -> Answer:
    body = {"model": "x", "model_type": "llm", **credential(url)}
    return await (await signed_in(house, house.cast.alice)).post(f"{PROVIDER}/models/credentials", body)


async def upload_for_builders(house: Served, url: str) -> Answer:
    return await (await signed_in(house, house.cast.alice)).post("/remote-files/upload", {"url": url})


async def look_for_builders(house: Served, url: str) -> Answer:
    return await (await signed_in(house, house.cast.alice)).get(f"/remote-files/{quote(url, safe='')}")


async def upload_for_visitors(house: Served, url: str) -> Answer:
    return await (await visiting(house, house.chat.app)).post("/remote-files/upload", {"url": url})


async def look_for_visitors(house: Served, url: str) -> Answer:
    return await (await visiting(house, house.chat.app)).get(f"/remote-files/{quote(url, safe='')}")


async def import_app(house: Served, url: str) -> Answer:
    body = {"mode": "yaml-url", "yaml_url": url}
    return await (await signed_in(house, house.cast.alice)).post("/apps/imports", body)


async def check_import(house: Served, url: str) -> Answer:
    body = {"mode": "yaml-url", "yaml_url": url}
    return await (await signed_in(house, house.cast.alice)).post("/apps/imports/check", body)


async def request_of_a_graph(house: Served, url: str) -> Answer:
    """A graph with one http-request node, as a run walks it."""
    nodes = [NodeSpec("start", "start", data={}), NodeSpec("http", "http-request", data={"url": url})]
    tree = Graph(nodes, [Edge("start", "http")])
    events = run(tree, VariablePool(), replace(scripted(), http=GuardedHttp()), nodes=NODES)
    last = [event async for event in events][-1]
    return Answer(last.status, {}, last.message.encode()) if isinstance(last, RunFailed) else Answer(200, {}, b"")


async def callback_of_a_run(house: Served, url: str) -> Answer:
    """A run whose end is told to the address, which a worker does."""
    key = await sync_to_async(make_flow)(house.cast.alice, ECHO)
    asked = {"inputs": {"word": "x"}, "user": "u1", "response_mode": "blocking", "callback_url": url}
    begun = await house.call("POST", "/v1/workflows/run", key=key, json=asked)
    if begun.status != 200:
        return begun
    await sync_to_async(callbacks.hand_over)()
    await sync_to_async(jobs.run_waiting)(callbacks.KIND)
    row = await CallbackDelivery.objects.aget(app=key.app)
    return Answer(400 if row.status == "failed" else 200, {}, str(row.log).encode())


FETCHERS = [
    add_provider, add_model, upload_for_builders, look_for_builders, upload_for_visitors, look_for_visitors, import_app,
    check_import, request_of_a_graph, callback_of_a_run,
]  # fmt: skip


@pytest.mark.parametrize("fetch", FETCHERS)
async def test_what_the_operator_allows_is_fetched(house: Served, trap: Wire, reached: list[Any], fetch: Fetch) -> None:
    """So that the refusals below mean something."""
    await fetch(house, trap.url("/a.png"))
    assert trap.connections >= 1
    assert trap.port in {address[1] for address in reached if isinstance(address, tuple)}


@pytest.mark.parametrize("fetch", FETCHERS)
async def test_an_address_inside_is_refused_and_not_reached(
    strict: Served, trap: Wire, reached: list[Any], fetch: Fetch
) -> None:
    for host in HOSTS:
        answer = await fetch(strict, f"http://{host}:{trap.port}/a.png")
        assert answer.status == 400, (host, answer.body)
        assert b"inside" not in answer.body
    assert_nothing_reached(strict, trap, reached)


def assert_nothing_reached(house: Served, trap: Wire, reached: list[Any]) -> None:
    assert trap.connections == 0
    known = {urlsplit(house.url).port, urlsplit(house.upstream.url).port}
    inside = [address for address in reached if isinstance(address, tuple) and address[1] not in known]
    assert [address for address in inside if address[1] == trap.port] == []
    assert [address for address in inside if not address[0].startswith("127.") and address[0] != "::1"] == []


async def test_a_validation_tells_why_and_reaches_nothing(strict: Served, trap: Wire, reached: list[Any]) -> None:
    """By the contract a validation answers 200 and says what was wrong."""
    alice = await signed_in(strict, strict.cast.alice)
    for host in HOSTS:
        answer = await alice.post(f"{PROVIDER}/credentials/validate", credential(f"http://{host}:{trap.port}/v1"))
        assert (answer.status, answer.json()["result"]) == (200, "error"), host
    assert_nothing_reached(strict, trap, reached)


async def service_chat(house: Served, url: str) -> Answer:
    files = [{"type": "image", "transfer_method": "remote_url", "url": url}]
    return await house.ask(response_mode="blocking", files=files, auto_generate_name=False)


async def debug_chat(house: Served, url: str) -> Answer:
    files = [{"type": "image", "transfer_method": "remote_url", "url": url}]
    body = {"inputs": {}, "query": "x", "response_mode": "blocking", "files": files}
    alice = await signed_in(house, house.cast.alice)
    return await alice.post(f"/apps/{house.chat.app.pk}/chat-messages", body)


async def visitor_chat(house: Served, url: str) -> Answer:
    files = [{"type": "image", "transfer_method": "remote_url", "url": url}]
    visitor: TierClient = await visiting(house, house.chat.app)
    return await visitor.post(
        "/chat-messages",
        {"inputs": {}, "query": "x", "response_mode": "blocking", "files": files, "auto_generate_name": False},
    )


async def openai_chat(house: Served, url: str) -> Answer:
    content = [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": url}}]
    return await house.call("POST", "/v1/chat/completions", json={"messages": [{"role": "user", "content": content}]})


@pytest.mark.parametrize("ask", [service_chat, debug_chat, visitor_chat, openai_chat])
async def test_the_address_of_an_image_is_passed_on_and_never_fetched_here(
    strict: Served, trap: Wire, reached: list[Any], ask: Fetch
) -> None:
    for host in HOSTS:
        answer = await ask(strict, f"http://{host}:{trap.port}/a.png")
        assert answer.status in (200, 400), (host, answer.body)
        assert b"inside" not in answer.body
    assert_nothing_reached(strict, trap, reached)


async def sign_in(house: Served, issuer: str, settings: Settings) -> int:
    """The status at which a sign-in through the issuer ends."""
    settings.SIGN_IN_PROVIDERS = {"oidc": SignInProvider("oidc", OPENID_CONNECT, "Issuer", issuer, "id", "secret")}
    settings.PUBLIC_URL = house.url
    address = house.url + "/console/api/oauth/login/oidc"
    async with house.client.get(address, allow_redirects=False) as response:
        assert response.status == 302, await response.read()
        address = response.headers["Location"]
    async with house.client.get(address, allow_redirects=False) as response:
        assert b"inside" not in await response.read()
        return response.status


async def test_an_allowed_issuer_is_asked(house: Served, trap: Wire, settings: Settings) -> None:
    await sign_in(house, f"http://127.0.0.1:{trap.port}", settings)
    assert trap.connections >= 1


async def test_an_issuer_inside_is_not_asked(strict: Served, trap: Wire, reached: list[Any], settings: Settings) -> None:
    found = {await sign_in(strict, f"http://{host}:{trap.port}", settings) for host in HOSTS}
    assert all(400 <= status < 500 or status in (302, 503) for status in found), found
    assert_nothing_reached(strict, trap, reached)


@pytest.mark.parametrize("fetch", FETCHERS)
async def test_an_issuer_that_the_operator_named_is_reached_by_sign_ins_alone(
    strict: Served, trap: Wire, settings: Settings, fetch: Fetch
) -> None:
    settings.SIGN_IN_HOSTS = [f"127.0.0.1:{trap.port}"]
    await forget_clients()
    assert (await fetch(strict, trap.url("/a.png"))).status == 400
    assert trap.connections == 0
    await sign_in(strict, f"http://127.0.0.1:{trap.port}", settings)
    assert trap.connections >= 1


async def test_a_model_server_of_the_environment_is_reached_by_model_calls_alone(
    strict: Served, trap: Wire, settings: Settings
) -> None:
    settings.PROVIDER_HOSTS = [f"127.0.0.1:{trap.port}"]
    await forget_clients()
    for fetch in (upload_for_builders, look_for_builders, upload_for_visitors, look_for_visitors):
        assert (await fetch(strict, trap.url("/a.png"))).status == 400
    await sign_in(strict, f"http://127.0.0.1:{trap.port}", settings)
    assert trap.connections == 0
    await add_provider(strict, trap.url("/v1"))
    assert trap.connections >= 1


async def test_what_the_environment_names_for_one_purpose_opens_no_other() -> None:
    """Each setting is read from its own variables."""
    code = (
        "import os; os.environ |= {'DJANGO_SETTINGS_MODULE': 'difyproj.settings.dev', 'EGRESS_ALLOW': 'a.example',"
        " 'OLLAMA_HOST': 'http://b.example:1', 'OIDC_CLIENT_ID': 'x', 'OIDC_CLIENT_SECRET': 'y',"
        " 'OIDC_ISSUER': 'https://c.example'};"
        "from django.conf import settings as s; print(list(s.EGRESS_ALLOW), s.PROVIDER_HOSTS, s.SIGN_IN_HOSTS)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    assert told.decode().strip() == "['a.example'] ['b.example:1'] ['c.example:443']"
