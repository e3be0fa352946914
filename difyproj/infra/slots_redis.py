"""Slots that many processes share over Redis."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import redis
from redis.exceptions import RedisError

from .slots import STALE_SECONDS, MemorySlots

logger = logging.getLogger(__name__)

_NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000); "
_TAKE = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local limit, holder, stale = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
if limit > 0 and redis.call('ZCARD', KEYS[1]) >= limit and not redis.call('ZSCORE', KEYS[1], holder) then return 0 end
redis.call('ZADD', KEYS[1], now + stale, holder)
redis.call('PEXPIRE', KEYS[1], stale)
return 1
"""
)
_ACTIVE = _NOW + "return redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf')"
_RENEW = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local stale = tonumber(ARGV[1])
for at = 2, #ARGV do redis.call('ZADD', KEYS[1], 'XX', now + stale, ARGV[at]) end
return redis.call('PEXPIRE', KEYS[1], stale)
"""
)


class RedisSlots:
    """The slots of many processes: one round trip a call. While Redis is away each process holds the limit on its own."""

    def __init__(self, client: redis.Redis, *, prefix: str, stale: float = STALE_SECONDS) -> None:
        self._client = client
        self._prefix = prefix
        self._stale = int(stale * 1000)
        self._here = MemorySlots(stale=stale)
        self._take = client.register_script(_TAKE)
        self._active = client.register_script(_ACTIVE)
        self._renew = client.register_script(_RENEW)

    def take(self, key: str, limit: int, holder: str) -> bool:
        try:
            return bool(self._take([self._key(key)], [limit, holder, self._stale]))
        except (RedisError, OSError) as error:
            _warn(error)
            return self._here.take(key, limit, holder)

    def give(self, key: str, holder: str) -> None:
        self._here.give(key, holder)
        try:
            self._client.zrem(self._key(key), holder)
        except (RedisError, OSError) as error:
            _warn(error)

    def active(self, key: str) -> int:
        try:
            count: Any = self._active([self._key(key)])
        except (RedisError, OSError) as error:
            _warn(error)
            return self._here.active(key)
        return int(count) + self._here.active(key)

    def renew(self, key: str, holders: Sequence[str]) -> None:
        self._here.renew(key, holders)
        try:
            self._renew([self._key(key)], [self._stale, *holders])
        except (RedisError, OSError) as error:
            _warn(error)

    def _key(self, key: str) -> str:
        return f"{self._prefix}:slots:{key}"


def _warn(error: Exception) -> None:
    logger.warning("Slots are counted in this process only, Redis does not answer: %s", error)
