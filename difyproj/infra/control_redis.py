"""Messages between processes over Redis publish and subscribe."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import RedisError

from difyproj.kernel import jsonio
from difyproj.kernel.ids import new_id

from .control import Listener, MemoryControl, Payload
from .loop import end, spawn
from .redis_client import BLOCK_SECONDS

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.5


class RedisControl:
    """Messages between processes. Subscribers of the sending process hear at once, without Redis."""

    def __init__(self, threads: Callable[[], redis.Redis], on_loop: Callable[[], redis.asyncio.Redis], *, prefix: str) -> None:
        """``threads`` and ``on_loop`` give the client for a plain thread and for the running loop."""
        self._threads = threads
        self._on_loop = on_loop
        self._channel = f"{prefix}:control:"
        self._here = MemoryControl()
        self._origin = str(new_id())
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()

    def send(self, topic: str, payload: Payload) -> None:
        self._here.send(topic, payload)
        message = jsonio.dumps([self._origin, payload])
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._publish(topic, message)
        else:
            spawn(self._publish_on_loop(topic, message), name="control-send")

    def subscribe(self, topic: str, listener: Listener) -> Callable[[], None]:
        cancel = self._here.subscribe(topic, listener)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._listen(), name="control-listen")
        return cancel

    async def listening(self) -> None:
        await self._listening.wait()

    async def aclose(self) -> None:
        if self._task is not None:
            await end(self._task)
        await self._here.aclose()

    def _publish(self, topic: str, message: bytes) -> None:
        try:
            self._threads().publish(self._channel + topic, message)
        except (RedisError, OSError) as error:
            logger.warning("A message to other processes was lost: %s", error, extra={"topic": topic})

    async def _publish_on_loop(self, topic: str, message: bytes) -> None:
        try:
            await self._on_loop().publish(self._channel + topic, message)
        except (RedisError, OSError) as error:
            logger.warning("A message to other processes was lost: %s", error, extra={"topic": topic})

    async def _listen(self) -> None:
        while True:
            try:
                async with self._on_loop().pubsub() as channel:
                    await channel.psubscribe(f"{self._channel}*")
                    while True:
                        self._hear(await channel.get_message(timeout=BLOCK_SECONDS))
            except (RedisError, OSError) as error:
                self._listening.clear()
                logger.warning("Messages of other processes are not heard: %s", error)
                await asyncio.sleep(RETRY_SECONDS)

    def _hear(self, message: dict[str, Any] | None) -> None:
        if message is None:
            return
        if message["type"] == "psubscribe":
            self._listening.set()
        elif message["type"] == "pmessage":
            try:
                origin, payload = jsonio.loads(message["data"])
            except (ValueError, TypeError):
                logger.warning("A message that is not ours was ignored.", extra={"channel": message["channel"]})
                return
            if origin != self._origin:
                self._here.send(message["channel"].decode().removeprefix(self._channel), payload)
