"""The database pool: lost connections are seen before they are used, and what keeps the process going never queues."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import DataError, IntegrityError, InterfaceError, OperationalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from difyproj.infra import db
from difyproj.infra.models import Process


@pytest.fixture(autouse=True)
def _pool(house_db: None) -> Iterator[None]:
    yield
    db.shutdown()


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def end(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: set DATABASE_URL")
async def test_a_connection_that_the_server_ended_is_replaced_before_it_is_used() -> None:
    first = await db.run_ahead(backend)
    await db.run(end, first)
    await asyncio.sleep(0.05)
    second = await db.run_ahead(backend)
    assert second != first
    assert await db.run_ahead(backend) == second


@pytest.mark.skipif(connection.vendor != "postgresql", reason="needs PostgreSQL: set DATABASE_URL")
async def test_a_healthy_connection_is_not_asked_whether_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    await db.run_ahead(backend)
    asked: list[str] = []

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    def counted() -> int:
        with connection.execute_wrapper(note):
            return Process.objects.count()

    def usable(self: BaseDatabaseWrapper) -> bool:
        asked.append("is_usable")
        return True

    monkeypatch.setattr(type(connections["default"]), "is_usable", usable)
    await db.run_ahead(counted)
    assert len(asked) == 1


async def test_what_runs_ahead_does_not_wait_for_the_queue() -> None:
    queue = [asyncio.create_task(db.run(time.sleep, 0.2)) for _ in range(12)]
    await asyncio.sleep(0.05)
    began = time.monotonic()
    assert await db.run_ahead(threading.get_ident) != threading.get_ident()
    assert time.monotonic() - began < 0.2
    assert not all(task.done() for task in queue)
    await asyncio.gather(*queue)


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
async def test_work_is_tried_again_while_the_database_is_away(error: type[Exception]) -> None:
    calls = 0

    def away() -> int:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise error("away")
        return calls

    assert await db.run_persistently(5.0, away) == 3


async def test_trying_again_has_an_end_and_is_only_for_a_database_that_is_away() -> None:
    calls: list[type[Exception]] = []

    def refuse(error: type[Exception]) -> None:
        calls.append(error)
        raise error("no")

    with pytest.raises(IntegrityError):
        await db.run_persistently(5.0, refuse, IntegrityError)
    with pytest.raises(OperationalError):
        await db.run_persistently(0.2, refuse, OperationalError)
    assert calls.count(IntegrityError) == 1
    assert calls.count(OperationalError) >= 2


async def test_what_the_database_can_never_hold_is_not_tried_again() -> None:
    """PostgreSQL has no value that large, and says so in the class of a server that is away."""
    calls = 0

    def store() -> None:
        nonlocal calls
        calls += 1
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_jsonb(repeat('a', 268435456))")

    if connection.vendor != "postgresql":
        pytest.skip("SQLite refuses it by an error of its own.")
    with pytest.raises(DataError):
        await db.run_persistently(5.0, store)
    assert calls == 1
