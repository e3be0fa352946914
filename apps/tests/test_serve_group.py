"""serve and its worker are one group: started together, the worker started again when it dies, both gone together."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from difyproj.infra import this_host
from difyproj.testing.process import Installation, ServerProcess

PATIENCE = 30.0
MOST_MEGABYTES = 250
WORKERS = "SELECT pid FROM infra_process WHERE role = 'worker' AND stopped_at IS NULL ORDER BY started_at DESC"
DONE = "SELECT count(*) FROM infra_job WHERE kind = 'infra.retention' AND state = 'succeeded'"


def wait(what: Callable[[], object], server: ServerProcess) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, server.log[-3000:]
        time.sleep(0.05)


def worker_of(installed: Installation) -> int:
    """The newest worker's pid, 0 when there is none."""
    rows = installed.rows(WORKERS)
    return int(rows[0][0]) if rows else 0


def megabytes(pid: int) -> float:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024


def is_alive(pid: int) -> bool:
    return this_host.is_alive(pid, this_host.started_ticks(pid))


def test_a_worker_runs_beside_the_server_is_small_and_ends_with_it(untouched: Installation) -> None:
    server = untouched.start(worker=True)
    wait(lambda: untouched.rows(DONE) == [(1,)], server)
    pid = worker_of(untouched)
    assert megabytes(server.pid) + megabytes(pid) <= MOST_MEGABYTES
    assert server.terminate() < 15
    assert not is_alive(pid)
    assert untouched.rows("SELECT count(*) FROM infra_process WHERE stopped_at IS NULL") == [(0,)]


def test_a_killed_worker_is_started_again_and_none_outlives_its_server(installed: Installation) -> None:
    server = installed.start(worker=True)
    wait(lambda: worker_of(installed), server)
    first = worker_of(installed)
    os.kill(first, signal.SIGKILL)
    wait(lambda: worker_of(installed) not in (0, first), server)
    second = worker_of(installed)
    assert is_alive(second)
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait(10)
    wait(lambda: not is_alive(second), server)


@pytest.mark.parametrize("words", [(), ("--workers", "2")], ids=["one process", "two workers"])
def test_without_a_worker_nothing_is_started_beside(installed: Installation, words: tuple[str, ...]) -> None:
    if words and not installed.redis_url:
        pytest.skip("needs PostgreSQL and Redis: set DATABASE_URL and REDIS_URL")
    server = installed.start(*words)
    time.sleep(0.5)
    assert not worker_of(installed)
    assert "celery" not in server.log


def test_several_web_processes_share_one_worker(shared: Installation) -> None:
    server = shared.start("--workers", "2", worker=True)
    wait(lambda: shared.rows(DONE) == [(1,)], server)
    assert len(shared.rows(WORKERS)) == 1
    assert server.terminate() < 20
    assert not is_alive(worker_of(shared))
