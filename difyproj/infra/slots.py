"""Places for concurrent work: at most ``limit`` holders under one key. The interface, and the slots of one process."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Protocol

from difyproj.kernel.clock import monotonic

STALE_SECONDS = 600.0


class Slots(Protocol):
    """Callable from any thread. A holder that is not renewed for ``STALE_SECONDS`` loses its place."""

    def take(self, key: str, limit: int, holder: str) -> bool:
        """A place for ``holder``, or False when ``limit`` others have one. 0 limits nothing, but is counted. Taking twice is
        taking once."""

    def give(self, key: str, holder: str) -> None:
        """Gives the place back; nothing happens for a holder that has none."""

    def active(self, key: str) -> int:
        """How many places are taken."""

    def renew(self, key: str, holders: Sequence[str]) -> None:
        """Says that ``holders`` are alive. Places that they lost are not taken again."""


class MemorySlots:
    """The slots of one process."""

    def __init__(self, *, stale: float = STALE_SECONDS) -> None:
        self._stale = stale
        self._lock = Lock()
        self._holders: dict[str, dict[str, float]] = {}

    def take(self, key: str, limit: int, holder: str) -> bool:
        with self._lock:
            holders = self._alive(key)
            if 0 < limit <= len(holders) and holder not in holders:
                return False
            self._holders[key] = holders
            holders[holder] = monotonic() + self._stale
            return True

    def give(self, key: str, holder: str) -> None:
        with self._lock:
            holders = self._holders.get(key, {})
            holders.pop(holder, None)
            if not holders:
                self._holders.pop(key, None)

    def active(self, key: str) -> int:
        with self._lock:
            return len(self._alive(key))

    def renew(self, key: str, holders: Sequence[str]) -> None:
        with self._lock:
            alive = self._alive(key)
            alive.update(dict.fromkeys(alive.keys() & set(holders), monotonic() + self._stale))

    def _alive(self, key: str) -> dict[str, float]:
        holders = self._holders.get(key, {})
        now = monotonic()
        for holder in [holder for holder, until in holders.items() if until <= now]:
            del holders[holder]
        return holders
