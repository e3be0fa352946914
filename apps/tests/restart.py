"""What a restart takes away, without restarting."""

from __future__ import annotations

import redis
from asgiref.sync import sync_to_async
from django.conf import settings

from apps.generation.log import event_log
from difyproj.infra import backends
from difyproj.infra import cache as row_caches


async def lose_logs() -> None:
    """The event logs are gone, here and in Redis; runs must have ended."""
    await event_log().aclose()
    await sync_to_async(_forget)()


def _forget() -> None:
    backends.reset()
    if settings.REDIS_URL:
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            for key in client.scan_iter(match="*:run:*:events"):
                client.delete(key)


async def restart() -> None:
    """What lives in memory only is gone: this process's event logs and every remembered row."""
    await event_log().aclose()
    await sync_to_async(backends.reset)()
    await sync_to_async(row_caches.reset_all)()
