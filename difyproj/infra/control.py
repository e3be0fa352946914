"""Short messages between processes ("stop this run"), between processes or within one. Interface, and the one process.

A message may be lost with a connection: what must not be lost is written to a row, and the message only makes it quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol

Payload = dict[str, Any]
Listener = Callable[[Payload], object]


class Control(Protocol):
    def send(self, topic: str, payload: Payload) -> None:
        """Tells every subscriber of ``topic`` in every process, this one included. From any thread; never raises for a lost
        connection. ``payload`` is JSON."""

    def subscribe(self, topic: str, listener: Listener) -> Callable[[], None]:
        """Calls ``listener`` with each payload on the running loop until the returned function is called."""

    async def listening(self) -> None:
        """Waits until messages of other processes arrive here."""

    async def aclose(self) -> None:
        """Ends listening."""


class MemoryControl:
    """Messages within one process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._subscriptions: dict[str, list[tuple[asyncio.AbstractEventLoop, Listener]]] = {}

    def send(self, topic: str, payload: Payload) -> None:
        with self._lock:
            subscriptions = tuple(self._subscriptions.get(topic, ()))
        for loop, listener in subscriptions:
            if not loop.is_closed():
                loop.call_soon_threadsafe(listener, payload)

    def subscribe(self, topic: str, listener: Listener) -> Callable[[], None]:
        subscription = (asyncio.get_running_loop(), listener)
        with self._lock:
            self._subscriptions.setdefault(topic, []).append(subscription)

        def cancel() -> None:
            with self._lock:
                if subscription in self._subscriptions[topic]:
                    self._subscriptions[topic].remove(subscription)

        return cancel

    async def listening(self) -> None:
        return

    async def aclose(self) -> None:
        with self._lock:
            self._subscriptions.clear()
