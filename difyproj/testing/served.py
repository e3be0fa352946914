"""A served instance for tests: the real ASGI application on a loopback socket, a fake upstream behind it, Alice's apps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import aiohttp
import uvicorn
from asgiref.sync import sync_to_async

from accounts.models import Tenant
from accounts.services import credentials, default_models
from apps.models import App
from apps.models.token import TokenKind
from apps.services import apps, tokens
from difyproj.infra import loop
from difyproj.kernel import jsonio
from difyproj.model_runtime.base import ModelType

from .cast import Cast, Person
from .database import let_pool_settle
from .upstream import FakeUpstream

PROVIDER, MODEL = "openai", "gpt-4o-mini"


class Frame(NamedTuple):
    """One server-sent frame: its record and its id; a ping has neither."""

    id: int
    record: dict[str, Any]

    @property
    def event(self) -> str:
        return str(self.record.get("event", "ping"))


class Answer(NamedTuple):
    """A response that was read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return jsonio.loads(self.body)

    @property
    def frames(self) -> list[Frame]:
        return parse_frames(self.body)


@dataclass(slots=True)
class Key:
    """An app and a token of it."""

    app: App
    token: str


class Furniture(NamedTuple):
    """The apps that stand in every house."""

    chat: Key
    completion: Key
    foreign: Key


@dataclass(slots=True)
class Served:
    """``chat`` and ``completion`` are Alice's apps on the fake upstream, ``foreign`` is Eve's chat app."""

    url: str
    upstream: FakeUpstream
    cast: Cast
    chat: Key
    completion: Key
    foreign: Key
    client: aiohttp.ClientSession = field(repr=False)

    async def call(
        self,
        method: str,
        path: str,
        *,
        key: Key | None = None,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Any = None,
    ) -> Answer:
        """One request, read to its end; ``key`` defaults to the chat app's."""
        sent = {"Authorization": f"Bearer {(key or self.chat).token}", **(headers or {})}
        async with self.client.request(method, self.url + path, json=json, params=params, headers=sent, data=data) as response:
            return Answer(response.status, response.headers, await response.read())

    async def ask(self, query: str = "Hello?", *, key: Key | None = None, **fields: Any) -> Answer:
        """A streamed chat message by Alice's user ``u1``; ``fields`` are added to or replace the body's."""
        headers = fields.pop("headers", None)
        body = {"inputs": {}, "query": query, "user": "u1", "response_mode": "streaming", **fields}
        return await self.call("POST", "/v1/chat-messages", key=key, json=body, headers=headers)

    @asynccontextmanager
    async def asking(
        self, query: str = "Hello?", *, key: Key | None = None, **fields: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A streamed chat message whose response is still open."""
        headers = {"Authorization": f"Bearer {(key or self.chat).token}", **fields.pop("headers", {})}
        body = {"inputs": {}, "query": query, "user": "u1", "response_mode": "streaming", **fields}
        async with self.client.post(self.url + "/v1/chat-messages", json=body, headers=headers) as response:
            yield response

    async def configure(self, key: Key, **config: Any) -> None:
        """Change parts of the app's configuration, as an editor would."""
        key.app = await sync_to_async(apps.update)(key.app, config={**key.app.config, **config})


def parse_frames(body: bytes) -> list[Frame]:
    """Every frame of a stream, checked for its framing: data first, then its id, or a bare ping."""
    frames = []
    for block in body.decode().split("\n\n"):
        if not block:
            continue
        if block == "event: ping":
            frames.append(Frame(0, {}))
            continue
        data, _, number = block.partition("\n")
        assert data.startswith("data: {"), block
        assert number.startswith("id: "), block
        frames.append(Frame(int(number[4:]), jsonio.loads(data[6:])))
    return frames


async def next_frame(response: aiohttp.ClientResponse) -> Frame:
    """The next frame of an open stream."""
    return parse_frames(await response.content.readuntil(b"\n\n"))[0]


def make_app(person: Person, mode: str, **config: Any) -> Key:
    """An app of the person's tenant on the fake upstream's model, with a token."""
    model = {"provider": PROVIDER, "name": MODEL, "mode": "chat", "completion_params": {"temperature": 0.2}}
    app = apps.create(
        tenant=person.tenant,
        name=f"{person.account.name}'s {mode}",
        mode=mode,
        config={"model": model, **config},
        created_by_id=person.account.pk,
    )
    _, token = tokens.create(tenant=person.tenant, app=app, kind=TokenKind.APP)
    return Key(app, token)


def use_upstream(tenant: Tenant, url: str) -> None:
    """The fake upstream becomes the tenant's provider and its default for every kind of model."""
    values = {"openai_api_key": "sk-test-0123456789abcdef", "openai_api_base": url}
    credentials.create(tenant=tenant, provider=PROVIDER, values=values)
    for model_type, model in (
        (ModelType.LLM, MODEL),
        (ModelType.TEXT_EMBEDDING, "text-embedding-3-small"),
        (ModelType.SPEECH2TEXT, "whisper-1"),
        (ModelType.TTS, "tts-1"),
        (ModelType.MODERATION, "omni-moderation-latest"),
    ):
        default_models.update(tenant=tenant, model_type=model_type, provider=PROVIDER, model=model)


@asynccontextmanager
async def serve(application: Any, lifespan: Literal["on", "off"] = "on") -> AsyncIterator[str]:
    """The application behind a real HTTP server of this loop; gives its base URL."""
    config = uvicorn.Config(application, host="127.0.0.1", port=0, lifespan=lifespan, log_config=None, access_log=False)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Without the server's own loop, which only looks ten times a second whether it should end.
    await server.startup()
    await server.on_tick(0)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        await _shut_down(server)


async def _shut_down(server: uvicorn.Server) -> None:
    """As the server's own way down, without its fixed waits."""
    for listener in server.servers:
        listener.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    if server.server_state.tasks:
        _, late = await asyncio.wait(server.server_state.tasks, timeout=1)
        for task in late:
            task.cancel()
    await server.lifespan.shutdown()


@asynccontextmanager
async def served(application: Any, cast: Cast, upstream: FakeUpstream, furniture: Furniture) -> AsyncIterator[Served]:
    """The whole cast's instance, up and running."""
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_end_strays)
        stack.push_async_callback(asyncio.to_thread, let_pool_settle)
        await stack.enter_async_context(upstream)
        url = await stack.enter_async_context(serve(application))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield Served(url, upstream, cast, *furniture, client)


async def _end_strays() -> None:
    """Tasks that a test forgot as a restart would. The loop's own end cancels once, which a library may turn into an error."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        await loop.end(task)


def furnish(cast: Cast, upstream_url: str) -> Furniture:
    for tenant in (cast.alice.tenant, cast.eve.tenant):
        use_upstream(tenant, upstream_url)
    form = [{"paragraph": {"label": "Subject", "variable": "query", "required": False, "default": ""}}]
    return Furniture(
        make_app(cast.alice, "chat", pre_prompt="You are kind.", opening_statement="Hello!"),
        make_app(cast.alice, "completion", pre_prompt="Write about {{query}}", user_input_form=form),
        make_app(cast.eve, "chat"),
    )
