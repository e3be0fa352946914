"""Several streams at once: each in a task of its own, their items through one queue, and all of them ended together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Generic, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")

# One cancellation may be lost in a library that turns it into an error of its own; the next one comes after this.
_CANCEL_AGAIN_SECONDS = 0.2
# How far a stream may run ahead of its reader.
_AHEAD = 64


class Fan(Generic[Key, Item]):
    """Use it from one task. Whoever adds streams closes the fan, however it is left.

    A stream goes on behind an item of the type ``held`` only when the reader asks for the next item; behind all others at
    once.
    """

    def __init__(self, held: type | None = None) -> None:
        self._held = held
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue: asyncio.Queue[tuple[Key, Item, asyncio.Event | None] | None] = asyncio.Queue(_AHEAD)
        self._holding: asyncio.Event | None = None
        self._error: BaseException | None = None

    def add(self, key: Key, stream: AsyncGenerator[Item, Any]) -> None:
        task = asyncio.get_running_loop().create_task(self._feed(key, stream))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def get(self) -> tuple[Key, Item]:
        """The next item of any stream. Raises what a stream raised."""
        if self._holding is not None:
            self._holding.set()
        found = await self._queue.get() if self._error is None else None
        if found is None:
            raise self._error or RuntimeError("A stream told nothing.")
        key, item, self._holding = found
        return key, item

    async def close(self) -> None:
        """End all streams; returns when they have let go of what they held."""
        while pending := [task for task in self._tasks if not task.done()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=_CANCEL_AGAIN_SECONDS)
        while not self._queue.empty():
            self._queue.get_nowait()

    async def _feed(self, key: Key, stream: AsyncGenerator[Item, Any]) -> None:
        async with aclosing(stream):
            async for item in stream:
                taken = asyncio.Event() if self._held is not None and isinstance(item, self._held) else None
                await self._queue.put((key, item, taken))
                if taken is not None:
                    await taken.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._error = task.exception()
            if self._queue.empty():
                self._queue.put_nowait(None)
