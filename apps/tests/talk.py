"""A websocket client for tests: sends objects, reads records."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from difyproj.kernel import jsonio
from difyproj.testing.served import Served


class Talk:
    """One open socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, **message: Any) -> None:
        await self.socket.send_str(jsonio.dumps_text(message))

    async def ask(self, query: str = "Hello?", **fields: Any) -> None:
        await self.send(action="send", inputs={}, query=query, user="u1", **fields)

    async def hear(self, seconds: float = 5.0) -> dict[str, Any]:
        """The next record. Raises AssertionError when the socket closes instead."""
        message = await self.socket.receive(seconds)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        record: dict[str, Any] = jsonio.loads(message.data)
        return record

    async def hear_until(self, *ends: str) -> list[dict[str, Any]]:
        """Records up to the first whose event is one of ``ends``."""
        heard = [await self.hear()]
        while heard[-1]["event"] not in ends:
            heard.append(await self.hear())
        return heard

    async def closed(self, seconds: float = 5.0) -> int | None:
        """The close code, once the server closes; records before it are skipped."""
        while (await self.socket.receive(seconds)).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
            pass
        return self.socket.close_code


@asynccontextmanager
async def talk(
    house: Served, path: str = "/ws/chat", *, token: str | None = "", headers: dict[str, str] | None = None
) -> AsyncIterator[Talk]:
    """A socket with the token (default: the chat app's, None: no token) in the subprotocol."""
    protocols = () if token is None else ("bearer", token or house.chat.token)
    async with house.client.ws_connect(house.url + path, protocols=protocols, headers=headers) as socket:
        yield Talk(socket)


def text_of(records: list[dict[str, Any]]) -> str:
    return "".join(record["answer"] for record in records if record["event"] == "message")
