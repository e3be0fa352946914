"""A cache backend for counters within one process: adding and counting up are atomic, nothing is pickled.

The request-rate windows need that of their cache, and Django's own local backends cannot give it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from threading import Lock
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

MAX_ENTRIES = 100_000


class _Store:
    """Django makes a backend object for every thread; those of one name share this."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.held: dict[str, tuple[Any, float | None]] = {}


_stores: defaultdict[str, _Store] = defaultdict(_Store)


class CounterCache(BaseCache):
    """Values are kept as they are, so only immutable ones belong here. Over ``MAX_ENTRIES`` the oldest go first."""

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__({**params, "OPTIONS": {"MAX_ENTRIES": MAX_ENTRIES, **params.get("OPTIONS", {})}})
        store = _stores[name]
        self._lock = store.lock
        self._held = store.held

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        key = self.make_key(key, version)
        with self._lock:
            if self._find(key) is not None:
                return False
            self._put(key, value, timeout)
            return True

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        key = self.make_key(key, version)
        with self._lock:
            found = self._find(key)
        return default if found is None else found[0]

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        key = self.make_key(key, version)
        with self._lock:
            self._put(key, value, timeout)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """The new count. Raises ValueError for a key that is not there."""
        key = self.make_key(key, version)
        with self._lock:
            found = self._find(key)
            if found is None:
                raise ValueError(f"Key {key!r} not found.")
            count: int = found[0] + delta
            self._held[key] = (count, found[1])
            return count

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        key = self.make_key(key, version)
        with self._lock:
            found = self._find(key)
            if found is None:
                return False
            self._held[key] = (found[0], self.get_backend_timeout(timeout))
            return True

    def delete(self, key: str, version: int | None = None) -> bool:
        key = self.make_key(key, version)
        with self._lock:
            return self._held.pop(key, None) is not None

    def clear(self) -> None:
        with self._lock:
            self._held.clear()

    def _find(self, key: str) -> tuple[Any, float | None] | None:
        found = self._held.get(key)
        if found is None or found[1] is None or found[1] > time.time():
            return found
        del self._held[key]
        return None

    def _put(self, key: str, value: Any, timeout: Any) -> None:
        if key not in self._held and len(self._held) >= self._max_entries:
            self._make_room()
        self._held[key] = (value, self.get_backend_timeout(timeout))

    def _make_room(self) -> None:
        """Drops what is over, and if that is less than a tenth, the oldest."""
        now = time.time()
        for key in [key for key, (_, until) in self._held.items() if until is not None and until <= now]:
            del self._held[key]
        excess = len(self._held) - self._max_entries * 9 // 10
        for key in list(self._held)[: max(0, excess)]:
            del self._held[key]
