"""ASGI: the API tiers through their own handler, admin and pages through Django's, sockets through Channels."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "difyproj.settings.dev")

from django.core.asgi import get_asgi_application

pages: Any = get_asgi_application()

from channels.routing import URLRouter

from apps import generation
from apps.api import sockets
from apps.api.web import sockets as web_sockets
from difyproj.tiers import health
from difyproj.tiers.handler import ApiHandler

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

API_PREFIXES = ("/v1/", "/api/", "/console/api/", "/files/", "/triggers/")

api = ApiHandler()
websockets = URLRouter([*web_sockets.routes, *sockets.routes])


class Application:
    """Background work begins before the first request: with the lifespan, or with that request where the server has none."""

    def __init__(self) -> None:
        self._background: generation.Background | None = None
        self._starting: asyncio.Task[None] | None = None
        self._started = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._live(receive, send)
        elif kind == "http" and scope["path"] in health.PATHS:
            await health.answer(scope["path"], send)
        else:
            if not self._started:
                await self._start()
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await websockets(scope, receive, send)
        elif scope["path"].startswith(API_PREFIXES):
            await api(scope, receive, send)
        else:
            await pages(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _start(self) -> None:
        """Requests that come together wait for one start, which none of them ends by going away."""
        if self._starting is None:
            self._background = generation.Background()
            self._starting = asyncio.ensure_future(self._background.start())
            self._starting.add_done_callback(self._note)
        await asyncio.shield(self._starting)

    def _note(self, starting: asyncio.Task[None]) -> None:
        """A start that failed is tried again by the next request."""
        self._started = not starting.cancelled() and starting.exception() is None
        if not self._started:
            self._starting = None

    async def _stop(self) -> None:
        background, self._background, self._starting, self._started = self._background, None, None, False
        if background is not None:
            await background.stop()


application = Application()
