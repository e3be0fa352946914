"""The Redis that tests of the scaled adapters use, and the reason when there is none."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest
import redis

URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


def url_or_skip() -> str:
    try:
        redis.Redis.from_url(URL, socket_connect_timeout=0.5).ping()
    except (redis.RedisError, OSError) as error:
        pytest.skip(f"No Redis at {URL}: {error}")
    return URL


def fresh_prefix() -> str:
    return f"test-{uuid4().hex[:12]}"


def forget(prefix: str) -> None:
    client = redis.Redis.from_url(URL)
    if keys := list(client.scan_iter(f"{prefix}:*", count=1000)):
        client.delete(*keys)
    client.close()
