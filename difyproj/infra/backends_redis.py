"""The Redis family of adapters."""

from __future__ import annotations

from typing import Any

from redis.exceptions import RedisError

from . import redis_client
from .backends import Codec
from .control import Control
from .control_redis import RedisControl
from .event_log import EventLog
from .event_log_redis import RedisEventLog
from .slots import Slots
from .slots_redis import RedisSlots


class RedisFamily:
    """Processes joined by the Redis of ``settings.REDIS_URL``."""

    errors: tuple[type[Exception], ...] = (RedisError, OSError)

    def event_log(self, codec: Codec, retention: float) -> EventLog[Any]:
        encode, decode = codec
        client, prefix = redis_client.async_client(), redis_client.KEY_PREFIX
        return RedisEventLog(client, encode, decode, prefix=prefix, retention=retention)

    def slots(self) -> Slots:
        return RedisSlots(redis_client.sync_client(), prefix=redis_client.KEY_PREFIX)

    def control(self) -> Control:
        # Keys belong to one database of the server, messages to all of it: another installation there must not be heard.
        prefix = f"{redis_client.KEY_PREFIX}:{redis_client.database()}"
        return RedisControl(redis_client.sync_client, redis_client.async_client, prefix=prefix)

    def answers(self) -> bool:
        try:
            redis_client.sync_client().ping()
        except self.errors:
            return False
        return True

    async def aclose(self) -> None:
        await redis_client.aclose()

    def reset(self) -> None:
        redis_client.reset()
