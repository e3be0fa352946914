"""What the websockets of all tiers share: who is asking, from where, and that access still holds while the socket is open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qs

from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import InterfaceError, OperationalError

from difyproj.infra import db
from difyproj.kernel import jsonio
from difyproj.kernel.errors import DomainError, InvalidParam, ServiceUnavailable, Unauthorized

from . import streaming
from .cors import host_of
from .errors import envelope, status_of
from .streaming import RecordSource, Ticks

logger = logging.getLogger("dify.api")

SUBPROTOCOL = "bearer"
RECHECK_SECONDS = 5.0
RECHECK_PATIENCE_SECONDS = 60.0
RETRY_AFTER_SECONDS = 1.0
GREETING_SECONDS = 10.0
MAX_MESSAGE = 1024 * 1024
BROKEN = 1011
FORBIDDEN_ORIGIN = 4403


class TierSocket(AsyncWebsocketConsumer):
    """A socket whose token comes in the subprotocol (``bearer``, token) or in the first message, never in the URL.

    Subclasses say how a token is checked (``authenticate``, sync, may query) and what a message does (``perform``).
    """

    groups: ClassVar[list[str]] = []
    # Records come from the event log. A layer's inbox would cost a connection to Redis for each socket.
    channel_layer_alias = "none"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.token = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False

    async def __call__(self, *args: Any) -> None:
        try:
            await super().__call__(*args)
        finally:
            # After a crash there is no disconnect, and what is left would go on sending.
            await self._end_tasks()

    def authenticate(self, token: str) -> None:
        raise NotImplementedError

    async def perform(self, message: dict[str, Any]) -> None:
        raise NotImplementedError

    def may_connect(self, origin: str | None) -> bool:
        """Whether a page of this origin may open the socket, before anything is known of the caller."""
        return origin_allowed(origin, self.host)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.scope["headers"])

    @property
    def origin(self) -> str | None:
        """The page's; programs send none."""
        given = self.headers.get(b"origin")
        return None if given is None else given.decode("latin-1")

    @property
    def host(self) -> str:
        return self.headers.get(b"host", b"").decode("latin-1")

    async def begin(self) -> None:
        """Called once the token is known to be good. What it raises closes the socket."""

    async def connect(self) -> None:
        if not self.may_connect(self.origin):
            await self.close(code=FORBIDDEN_ORIGIN)
            return
        offered = self.scope.get("subprotocols") or []
        given = offered[1] if len(offered) > 1 and offered[0] == SUBPROTOCOL else ""
        await self.accept(subprotocol=SUBPROTOCOL if given else None)
        if given:
            await self._enter(given)
        else:
            self._spawn(self._expect_greeting())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            message = parse(text_data)
            if not self.token:
                await self._enter(str(message.get("token") or ""))
            else:
                await self.perform(message)
        except DomainError as error:
            await self.refuse(error)
        except (OperationalError, InterfaceError):
            logger.warning("The database was lost while a message was taken", exc_info=True)
            await self.refuse(ServiceUnavailable(retry_after=RETRY_AFTER_SECONDS))

    async def disconnect(self, code: int) -> None:
        await self._end_tasks()
        raise StopConsumer

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        self._ending = True
        await super().close(code, reason)

    async def send_json(self, record: dict[str, Any]) -> None:
        await self.send(text_data=jsonio.dumps_text(record))

    async def refuse(self, error: DomainError) -> None:
        await self.send_json({"event": "error", **envelope(error)})

    def follow(self, source: RecordSource, *, then_close: bool = False) -> None:
        """Send the source's records, each with its ``event_id``, until it ends."""
        self._spawn(self._relay(source, then_close))

    async def _relay(self, source: RecordSource, then_close: bool) -> None:
        pings = Ticks(source, streaming.PING_SECONDS)
        try:
            while not source.finished:
                records = await source.next()
                for number, record in records:
                    await self.send_json({**record, "event_id": number})
                if pings.take() and not source.finished:
                    await self.send_json({"event": "ping"})
            if then_close:
                await self.close()
        except DomainError as error:
            await self.refuse(error)
        finally:
            pings.stop()
            source.cancel()

    async def _enter(self, token: str) -> None:
        try:
            await db.run(self.authenticate, token)
            self.token = token
            self._spawn(self._recheck())
            await self.begin()
        except DomainError as error:
            await self._turn_away(error)
        except (OperationalError, InterfaceError):
            logger.warning("The database was lost while a socket was opened", exc_info=True)
            await self._turn_away(ServiceUnavailable(retry_after=RETRY_AFTER_SECONDS))

    async def _recheck(self) -> None:
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            try:
                await db.run_persistently(RECHECK_PATIENCE_SECONDS, self.authenticate, self.token)
            except DomainError as error:
                await self._turn_away(error)
                return

    async def _expect_greeting(self) -> None:
        await asyncio.sleep(GREETING_SECONDS)
        if not self.token:
            await self._turn_away(Unauthorized())

    async def _turn_away(self, error: DomainError) -> None:
        """Say why and close; the close code is 4000 and the error's status."""
        await self.refuse(error)
        await self.close(code=4000 + status_of(error))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        """A socket without one of its tasks is silent, or open to whoever lost access: it is closed instead."""
        self._tasks.discard(task)
        cause = None if task.cancelled() else task.exception()
        if cause is None or self._ending:
            return
        self._ending = True
        # The client may be gone before its disconnect is read.
        if not isinstance(cause, OSError):
            logger.error("A socket's work broke off", exc_info=cause)
        self._spawn(self.close(code=BROKEN))

    async def _end_tasks(self) -> None:
        self._ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def parse(text: str | None) -> dict[str, Any]:
    """A message is a JSON object in text. Raises InvalidParam."""
    if text is None or len(text) > MAX_MESSAGE:
        raise InvalidParam("Messages are JSON texts of at most 1 MB.")
    try:
        message = jsonio.loads(text)
    except ValueError as error:
        raise InvalidParam("The message is not valid JSON.") from error
    if not isinstance(message, dict):
        raise InvalidParam("The message must be a JSON object.")
    return message


def origin_allowed(origin: str | None, host: str, also: Sequence[str] = ()) -> bool:
    """Programs send no Origin; pages must come from this host, or from one that settings or ``also`` name."""
    allowed = (*settings.WEBSOCKET_ORIGINS, *also)
    return origin is None or "*" in allowed or origin in allowed or host_of(origin) == host


def query_of(scope: dict[str, Any]) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()}
