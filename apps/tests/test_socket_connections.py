"""What open websockets cost, and that silence does not end them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
import redis.asyncio
from channels.layers import get_channel_layer
from django.conf import settings

from difyproj.testing.served import Served

needs_redis = pytest.mark.skipif(not settings.REDIS_URL, reason="needs Redis: set REDIS_URL")


@needs_redis
async def test_open_sockets_hold_no_connections_to_redis(house: Served) -> None:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    async with client, AsyncExitStack() as stack:
        before = len(await client.client_list())
        for _ in range(20):
            opening = house.client.ws_connect(f"{house.url}/ws/chat", protocols=("bearer", house.chat.token))
            await stack.enter_async_context(opening)
        assert len(await client.client_list()) < before + 10


@needs_redis
async def test_a_channel_layer_waits_longer_than_its_client_would() -> None:
    layer = get_channel_layer()
    assert layer is not None
    waiting = asyncio.ensure_future(layer.receive(await layer.new_channel()))
    done, _ = await asyncio.wait({waiting}, timeout=5.6)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not done


async def test_a_silent_socket_stays_open(house: Served) -> None:
    async with house.client.ws_connect(f"{house.url}/ws/chat", protocols=("bearer", house.chat.token)) as socket:
        with pytest.raises(TimeoutError):
            await socket.receive(timeout=5.5)
        await socket.send_str('{"action": "stop", "user": "u1"}')
        assert (await socket.receive_json())["event"] == "stop"
