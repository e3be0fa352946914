"""Rows kept in memory for a while: bounded, loaded once however many threads ask, invalidated in every process on commit.

An invalidation forgets in this process at once, counts up the namespace's ``CacheVersion`` and, with Redis, tells the others,
which forget the whole namespace. A poll of the versions finds what such a message missed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from threading import Lock, local
from typing import Any, Generic, TypeVar, cast

from django.db import Error as DatabaseError
from django.db import IntegrityError, transaction
from django.db.models import F

from difyproj.kernel.clock import monotonic

from . import backends
from .leases import Run
from .loop import end
from .models import CacheVersion

logger = logging.getLogger(__name__)

V = TypeVar("V")

POLL_SECONDS = 0.5
TOPIC = "cache"

_caches: dict[str, Cached[Any]] = {}


class Cached(Generic[V]):
    """Values of one namespace by key, each for ``ttl`` seconds, at most ``max_entries``. Callable from any thread.

    Inside a transaction nothing is remembered, and after an invalidation there nothing is answered from memory: what it reads
    may be its own and may never be committed.
    """

    def __init__(self, namespace: str, *, ttl: float, max_entries: int) -> None:
        """Raises ValueError for a namespace that is there already."""
        if namespace in _caches:
            raise ValueError(f"There is a cache named {namespace!r} already.")
        self.namespace = namespace
        self.hits = 0
        self.misses = 0
        self._ttl = ttl
        self._max_entries = max_entries
        self._lock = Lock()
        self._entries: dict[Hashable, tuple[float, V]] = {}
        self._loading: dict[Hashable, Future[V]] = {}
        self._transaction = local()
        _caches[namespace] = self

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def hit_rate(self) -> float:
        """Share of answers from memory since the start, 0 to 1."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0

    def get(self, key: Hashable, load: Callable[[], V]) -> V:
        """The value of ``key``, from memory or from ``load``: one thread calls it, others wait for its answer or error."""
        if getattr(self._transaction, "dirty", False) and self._still_dirty():
            return load()
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry[0] > monotonic():
                self.hits += 1
                return entry[1]
            self.misses += 1
        if transaction.get_connection().in_atomic_block:
            return load()
        return self._load(key, load)

    def invalidate(self, key: Hashable | None = None) -> None:
        """Forgets ``key`` (None: everything) when the present transaction commits, here and in every other process."""
        self._transaction.dirty = transaction.get_connection().in_atomic_block
        transaction.on_commit(lambda: self._publish(key))

    def clear(self, key: Hashable | None = None) -> None:
        """Forgets in this process only. A load under way answers those who wait for it, and is not remembered."""
        with self._lock:
            if key is None:
                self._entries.clear()
                self._loading.clear()
            else:
                self._entries.pop(key, None)
                self._loading.pop(key, None)

    def reset(self) -> None:
        """Forgets everything, the counters included."""
        self.clear()
        self.hits = self.misses = 0
        self._transaction.dirty = False

    def _still_dirty(self) -> bool:
        self._transaction.dirty = transaction.get_connection().in_atomic_block
        return cast(bool, self._transaction.dirty)

    def _load(self, key: Hashable, load: Callable[[], V]) -> V:
        with self._lock:
            loading = self._loading.get(key)
            if loading is None:
                mine: Future[V] = Future()
                self._loading[key] = mine
        if loading is not None:
            return loading.result()
        try:
            value = load()
        except BaseException as error:
            with self._lock:
                self._end_load(key, mine)
            mine.set_exception(error)
            raise
        with self._lock:
            if self._end_load(key, mine):
                self._remember(key, value)
        mine.set_result(value)
        return value

    def _end_load(self, key: Hashable, mine: Future[V]) -> bool:
        """False when the key was invalidated while it was loaded."""
        if self._loading.get(key) is not mine:
            return False
        del self._loading[key]
        return True

    def _remember(self, key: Hashable, value: V) -> None:
        self._entries.pop(key, None)
        if len(self._entries) >= self._max_entries:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = (monotonic() + self._ttl, value)

    def _publish(self, key: Hashable | None) -> None:
        self._transaction.dirty = False
        self.clear(key)
        try:
            _count_up(self.namespace)
        except DatabaseError as error:
            logger.error("Other processes may keep %s for %d s: %s", self.namespace, self._ttl, error)
        backends.get_control().send(TOPIC, {"namespace": self.namespace})


def _count_up(namespace: str) -> None:
    rows = CacheVersion.objects.filter(namespace=namespace)
    if rows.update(version=F("version") + 1):
        return
    try:
        with transaction.atomic():
            CacheVersion.objects.create(namespace=namespace, version=1)
    except IntegrityError:
        rows.update(version=F("version") + 1)


def reset_all() -> None:
    """Every cache of this process is as new, for tests."""
    for cached in _caches.values():
        cached.reset()


def all_caches() -> Iterable[Cached[Any]]:
    """Every cache of this process, for metrics."""
    return tuple(_caches.values())


class CacheWatch:
    """Clears what other processes invalidated: at once when told, otherwise at the next poll of all versions."""

    def __init__(self, run: Run, *, every: float = POLL_SECONDS) -> None:
        self._run = run
        self._every = every
        self._seen: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None
        self._cancel: Callable[[], None] | None = None

    async def start(self) -> None:
        self._cancel = backends.get_control().subscribe(TOPIC, _told)
        self._task = asyncio.get_running_loop().create_task(self._poll(), name="cache-watch")

    async def stop(self) -> None:
        if self._cancel is not None:
            self._cancel()
        if self._task is not None:
            await end(self._task)
            self._task = None

    async def _poll(self) -> None:
        while True:
            try:
                self._compare(await self._run(_versions))
            except DatabaseError as error:
                logger.warning("Cache versions could not be read: %s", error)
            await asyncio.sleep(self._every)

    def _compare(self, versions: dict[str, int]) -> None:
        """A namespace seen for the first time is cleared too: its values may be older than its version."""
        for namespace, version in versions.items():
            if self._seen.get(namespace) != version and namespace in _caches:
                _caches[namespace].clear()
        self._seen = versions


def _versions() -> dict[str, int]:
    return dict(CacheVersion.objects.values_list("namespace", "version"))


def _told(message: dict[str, Any]) -> None:
    cached = _caches.get(message["namespace"])
    if cached is not None:
        cached.clear()
