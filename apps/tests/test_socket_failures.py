"""Sockets when something breaks behind them: they live on, or they are closed and say so; none stays open and silent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from apps import generation
from apps.api.sockets import AppSocket, ChatSocket
from apps.models import ApiToken
from apps.services import tokens
from difyproj.testing.served import Served
from difyproj.testing.upstream import Script
from difyproj.tiers import sockets

from .talk import talk, text_of

SLOW = Script(tokens=["x "] * 500, delay=0.02)


class Odd(Exception):
    """Nothing that anybody foresaw."""


def failing(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, cause: Exception, times: int) -> list[int]:
    """The sync method raises ``cause`` in its next ``times`` calls; gives a list that has the calls still to fail."""
    real, left = getattr(owner, name), [times]

    def method(*args: Any, **kwargs: Any) -> Any:
        if left[0] > 0:
            left[0] -= 1
            raise cause
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, method)
    return left


async def test_a_lost_database_does_not_end_the_watch_over_access(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "RECHECK_SECONDS", 0.05)
    async with talk(house) as socket:
        await socket.ask()
        assert text_of(await socket.hear_until("message_end")) == "Hello, world!"
        left = failing(monkeypatch, AppSocket, "authenticate", OperationalError("The database is away."), 3)
        while left[0]:
            await asyncio.sleep(0.01)
        await socket.ask()
        assert text_of(await socket.hear_until("message_end")) == "Hello, world!"
        row = await ApiToken.objects.aget(app=house.chat.app)
        await sync_to_async(tokens.set_active)(row, is_active=False)
        assert await socket.closed(2) == 4401


async def test_a_socket_whose_watch_broke_is_closed(
    house: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sockets, "RECHECK_SECONDS", 0.05)
    async with talk(house) as socket:
        failing(monkeypatch, AppSocket, "authenticate", Odd("odd"), 1)
        assert await socket.closed(2) == 1011
    assert [record for record in caplog.records if record.exc_info and isinstance(record.exc_info[1], Odd)]


async def test_a_socket_whose_records_broke_off_is_closed(
    house: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house.upstream.script = SLOW
    subscribe = generation.subscribe

    async def breaking(*args: Any, **kwargs: Any) -> Any:
        source = await subscribe(*args, **kwargs)
        following = source.next
        given: list[Any] = []

        async def give(seconds: float | None = None) -> Any:
            if given:
                raise OperationalError("The database is away.")
            given.append(await following(seconds))
            return given[0]

        monkeypatch.setattr(source, "next", give)
        return source

    monkeypatch.setattr(generation, "subscribe", breaking)
    async with talk(house) as socket:
        await socket.ask()
        assert await socket.closed(2) == 1011
    assert [record for record in caplog.records if "A socket's work broke off" in record.message]


async def test_a_message_that_met_a_lost_database_may_be_sent_again(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with talk(house) as socket:
        failing(monkeypatch, ChatSocket, "generate", OperationalError("The database is away."), 1)
        await socket.ask()
        assert (await socket.hear())["status"] == 503
        await socket.ask()
        assert text_of(await socket.hear_until("message_end")) == "Hello, world!"


async def test_a_socket_that_met_a_lost_database_is_told_to_come_again(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, AppSocket, "authenticate", OperationalError("The database is away."), 1)
    async with talk(house) as socket:
        assert (await socket.hear())["status"] == 503
        assert await socket.closed(2) == 4503


async def test_a_crash_leaves_no_work_behind(house: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async with talk(house) as socket:
        await socket.ask()
        await socket.hear_until("message_end")
        assert len(_watches()) == 1
        failing(monkeypatch, ChatSocket, "generate", Odd("odd"), 1)
        await socket.ask()
        assert await socket.closed(2) in (1006, 1011)  # servers differ
    assert _watches() == []


def _watches() -> list[str]:
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name == "TierSocket._recheck"]
