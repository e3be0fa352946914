"""Whatever comes over a websocket: an answer or a refusal for each message, and no exception in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any
from urllib.parse import quote_from_bytes

import aiohttp
from hypothesis import given
from hypothesis import strategies as some

from difyproj.kernel import jsonio
from difyproj.testing.rawhttp import quiet_log
from difyproj.testing.served import Served

from . import odd

UNKNOWN = "00000000-0000-4000-8000-000000000000"
ASKED = {"action": "send", "inputs": {}, "query": "Hello?", "user": "u1", "auto_generate_name": False}
STOPPED = {"action": "stop", "task_id": UNKNOWN, "user": "u1"}
ENDS = ("message_end", "error", "stop")


async def say(house: Served, text: str, *, known: bool) -> dict[str, Any]:
    """The record that ends the answer to one message; ``known``: the token came before it."""
    protocols = ("bearer", house.chat.token) if known else ()
    async with house.client.ws_connect(f"{house.url}/ws/chat", protocols=protocols) as socket:
        await socket.send_str(text)
        while True:
            record: dict[str, Any] = jsonio.loads(await socket.receive_str(timeout=20))
            if record["event"] in ENDS:
                return record


async def listen(house: Served, path: str) -> int | None:
    """The code with which the socket was closed."""
    try:
        async with house.client.ws_connect(house.url + path, protocols=("bearer", house.chat.token)) as socket:
            async for message in socket:
                assert message.type is aiohttp.WSMsgType.TEXT
            return socket.close_code
    except aiohttp.WSServerHandshakeError as error:
        return error.status


async def fuzz(test: Any) -> None:
    with quiet_log():
        await asyncio.to_thread(test)


def on(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run_coroutine_threadsafe(work, loop).result(30)


async def test_any_message(house: Served) -> None:
    loop = asyncio.get_running_loop()
    bodies = some.one_of(odd.fields(ASKED), odd.fields(STOPPED), odd.values).map(lambda value: odd.written(value).decode())
    texts = some.one_of(bodies, bodies, odd.raw.map(lambda value: value.decode("utf-8", "replace")))

    @odd.search(150)
    @given(texts, some.booleans())
    def search(text: str, known: bool) -> None:
        assert on(loop, say(house, text, known=known))["event"] in ENDS

    await fuzz(search)


async def test_any_address(house: Served) -> None:
    loop = asyncio.get_running_loop()
    words = some.one_of(
        some.sampled_from((b"", b"\0", b"\xff", b"u1", b"-1", b"9" * 30, b"%", b"\xc2\xb2")), some.binary(max_size=6)
    )
    names = some.one_of(some.just(UNKNOWN.encode()), words)

    @odd.search(80)
    @given(names, some.dictionaries(some.sampled_from(("after", "user", "token")), words, max_size=3))
    def search(name: bytes, query: dict[str, bytes]) -> None:
        asked = "&".join(f"{key}={quote_from_bytes(value)}" for key, value in query.items())
        code = on(loop, listen(house, f"/ws/runs/{quote_from_bytes(name)}?{asked}"))
        assert code in {403, 4400, 4401, 4403, 4404}, code

    await fuzz(search)
