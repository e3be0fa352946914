"""Connections to Redis: one bounded pool for threads, one for each event loop, both from ``settings.REDIS_URL``."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import ConstantBackoff

KEY_PREFIX: str = settings.REDIS_PREFIX
THREAD_CONNECTIONS = 8
LOOP_CONNECTIONS = 16
# A blocking read must end before this, or silence would look like a lost connection.
SOCKET_SECONDS = 5.0
BLOCK_SECONDS = 2.0
_OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": 1.0,
    "socket_timeout": SOCKET_SECONDS,
    "socket_keepalive": True,
    "protocol": 2,
    "timeout": 1.0,
}

_lock = Lock()
_sync: redis.Redis | None = None
_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()


def configured() -> bool:
    return bool(settings.REDIS_URL)


def sync_client() -> redis.Redis:
    """For threads. A call waits at most a second for a connection and never retries more than once."""
    global _sync
    with _lock:
        if _sync is None:
            pool = redis.BlockingConnectionPool.from_url(
                settings.REDIS_URL,
                max_connections=THREAD_CONNECTIONS,
                retry=redis.retry.Retry(ConstantBackoff(0), 1),
                **_OPTIONS,
            )
            _sync = redis.Redis(connection_pool=pool)
        return _sync


def database() -> int:
    """The number of the database that ``settings.REDIS_URL`` names."""
    return int(sync_client().connection_pool.connection_kwargs.get("db") or 0)


def async_client() -> redis.asyncio.Redis:
    """For the running event loop."""
    loop = asyncio.get_running_loop()
    client = _by_loop.get(loop)
    if client is None:
        client = _by_loop[loop] = open_async(settings.REDIS_URL)
    return client


def open_async(url: str) -> redis.asyncio.Redis:
    pool = redis.asyncio.BlockingConnectionPool.from_url(
        url, max_connections=LOOP_CONNECTIONS, retry=redis.asyncio.retry.Retry(ConstantBackoff(0), 1), **_OPTIONS
    )
    return redis.asyncio.Redis(connection_pool=pool)


async def aclose() -> None:
    """Closes the running loop's connections."""
    client = _by_loop.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()
        await client.connection_pool.disconnect()


def reset() -> None:
    """Forgets the threads' pool, for tests that change the setting."""
    global _sync
    with _lock:
        client, _sync = _sync, None
    if client is not None:
        client.close()
        client.connection_pool.disconnect()
