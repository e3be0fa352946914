"""Who is dead, and that exactly one other process looks after it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import OperationalError, connection

from difyproj.infra import db, leases, this_host
from difyproj.infra.models import Process
from difyproj.kernel import clock


@pytest.fixture(autouse=True)
def _lease(house_db: None) -> Iterator[None]:
    yield
    leases.stop()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


def other(*, host: str = "elsewhere", pid: int = 1, ticks: int = 0, silent: float = 0.0) -> Process:
    """The row of another process, silent for that many seconds."""
    heartbeat = clock.now() - timedelta(seconds=silent)
    return Process.objects.create(host=host, pid=pid, started_ticks=ticks, role="web", heartbeat_at=heartbeat)


def test_this_process_registers_beats_and_stops() -> None:
    row = leases.register("web")
    assert leases.mine() == row.pk
    assert (row.pid, row.host) == (os.getpid(), this_host.name())
    assert row.started_ticks > 0
    Process.objects.update(heartbeat_at=clock.now() - timedelta(seconds=60))
    assert leases.beat()
    row.refresh_from_db()
    assert clock.now() - row.heartbeat_at < timedelta(seconds=5)
    leases.stop()
    assert leases.mine() is None
    assert not leases.beat()
    row.refresh_from_db()
    assert row.stopped_at is not None
    assert leases.dead_processes() == [row.pk]


def test_silence_makes_a_process_dead_and_a_heartbeat_keeps_it_alive() -> None:
    leases.register("web")
    silent, _alive = other(silent=16), other(silent=14)
    assert leases.dead_processes() == [silent.pk]


def test_a_process_of_this_machine_is_dead_as_soon_as_it_is_gone(child: subprocess.Popen[bytes]) -> None:
    ticks = this_host.started_ticks(child.pid)
    row = other(host=this_host.name(), pid=child.pid, ticks=ticks)
    pid_used_again = other(host=this_host.name(), pid=child.pid, ticks=ticks - 1)
    assert leases.dead_processes() == [pid_used_again.pk]
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert leases.dead_processes() == [row.pk, pid_used_again.pk]
    child.wait()
    assert leases.dead_processes() == [row.pk, pid_used_again.pk]


def test_a_living_process_is_not_taken_over() -> None:
    leases.register("web")
    assert not leases.take_over(other().pk)
    assert not leases.take_over(uuid4())


def test_one_heir_takes_a_dead_process_over_and_forgets_it_when_done() -> None:
    leases.register("web")
    dead = other(silent=60)
    assert leases.take_over(dead.pk)
    assert not leases.take_over(dead.pk)
    assert leases.dead_processes() == []
    leases.forget(dead.pk)
    assert not Process.objects.filter(pk=dead.pk).exists()


def test_an_unclaimed_process_is_not_forgotten() -> None:
    dead = other(silent=60)
    leases.forget(dead.pk)
    assert leases.dead_processes() == [dead.pk]


def test_what_a_dead_heir_left_is_offered_again() -> None:
    leases.register("web")
    dead = other(silent=60)
    dead.claimed_by, dead.claimed_at = uuid4(), clock.now() - timedelta(seconds=leases.CLAIM_SECONDS + 1)
    dead.save()
    assert leases.dead_processes() == [dead.pk]
    assert leases.take_over(dead.pk)
    assert not leases.take_over(dead.pk)


def test_many_heirs_race_and_one_wins() -> None:
    dead = other(silent=60)
    start = Barrier(4)

    def race(_: int) -> bool:
        start.wait(5)
        try:
            return leases.take_over(dead.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(race, range(4))) == [False, False, False, True]


def test_who_was_taken_for_dead_learns_it_at_the_next_beat() -> None:
    row = leases.register("web")
    Process.objects.filter(pk=row.pk).update(claimed_by=uuid4(), claimed_at=clock.now())
    assert not leases.beat()


async def test_the_heartbeat_keeps_the_row_alive_and_ends_the_lease() -> None:
    heartbeat = leases.Heartbeat(db.run, "web", every=0.02)
    own = await heartbeat.start()
    await db.run(lambda: Process.objects.update(heartbeat_at=clock.now() - timedelta(seconds=60)))
    await asyncio.sleep(0.2)
    row = await db.run(lambda: Process.objects.get(pk=own))
    assert clock.now() - row.heartbeat_at < timedelta(seconds=5)
    await heartbeat.stop()
    assert await db.run(leases.dead_processes) == [own]


async def test_the_heartbeat_registers_again_when_the_lease_was_lost() -> None:
    lost = asyncio.Event()
    heartbeat = leases.Heartbeat(db.run, "web", every=0.02, on_lost=lost.set)
    first = await heartbeat.start()
    await db.run(lambda: Process.objects.update(claimed_by=uuid4(), claimed_at=clock.now()))
    async with asyncio.timeout(5):
        await lost.wait()
    assert leases.mine() not in (None, first)
    await heartbeat.stop()


async def test_the_heartbeat_survives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def away() -> bool:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise OperationalError("away")
        return True

    monkeypatch.setattr(leases, "beat", away)
    heartbeat = leases.Heartbeat(db.run, "web", every=0.01)
    await heartbeat.start()
    await asyncio.sleep(0.2)
    await heartbeat.stop()
    assert calls > 3


def test_who_heard_nothing_for_a_while_does_not_judge_the_silence_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    own, silent = leases.register("web"), other(silent=16)
    monkeypatch.setattr(leases, "_last_beat", clock.monotonic() - leases.CUT_OFF_SECONDS - 1)
    assert leases.dead_processes() == []
    assert leases.beat()
    assert leases.dead_processes() == []
    monkeypatch.setattr(leases, "_silence_counts_from", clock.monotonic())
    assert leases.dead_processes() == [silent.pk]
    Process.objects.filter(pk=own.pk).delete()
