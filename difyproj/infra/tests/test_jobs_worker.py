"""Real workers on every transport: what a killed one ran is finished by another, once; a stopped one gives it back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
import redis
from django.conf import settings
from django.db import connection

from difyproj.infra.jobs import engine
from difyproj.infra.models import Job, Process
from difyproj.testing.process import KEPT_VARIABLES, ROOT

from . import redis_here

KIND = "tests.patient"
PATIENCE = 30.0


class Crew:
    """Workers that share a broker and the tests' database."""

    def __init__(self, folder: Path, broker_url: str) -> None:
        self.folder, self.broker_url = folder, broker_url
        self.queue = redis_here.fresh_prefix()
        self.log = folder / "workers.log"
        self._workers: list[subprocess.Popen[bytes]] = []

    def hire(self) -> None:
        surroundings = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
        chosen = {
            "DIFYPROJ_VAR": str(self.folder / "var"),
            "DATABASE_URL": database_url(),
            "TASK_BROKER_URL": self.broker_url,
            "TASK_QUEUE": self.queue,
        }
        with self.log.open("ab") as output:
            command = (sys.executable, "-m", "difyproj.infra.tests.job_worker")
            self._workers.append(subprocess.Popen(command, cwd=ROOT, env=surroundings | chosen, stdout=output, stderr=output))

    def ask(self) -> Job:
        """A job whose message is sent, as enqueue does it."""
        row = Job.objects.create(kind=KIND, target_id=str(self.folder))
        engine.make_app(self.broker_url, self.queue).send_task(engine.TASK, (str(row.pk),))
        return row

    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return path.read_text().split() if path.exists() else []

    def wait(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.02)

    def end_of(self, pid: int) -> int:
        (worker,) = [worker for worker in self._workers if worker.pid == pid]
        return worker.wait(PATIENCE)

    def dismiss(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()


def database_url() -> str:
    """The database that the tests use, as a worker is told of it."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlunsplit(urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}"))


@pytest.fixture(params=["sqlite", "redis"])
def crew(request: pytest.FixtureRequest, tmp_path: Path, house_db: None) -> Iterator[Crew]:
    url = redis_here.url_or_skip() if request.param == "redis" else f"sqlite:///{tmp_path}/broker.sqlite3"
    made = Crew(tmp_path, url)
    yield made
    made.dismiss()
    if request.param == "redis":
        redis.Redis.from_url(url).delete(made.queue, f"_kombu.binding.{made.queue}")


def state(row: Job) -> str:
    row.refresh_from_db()
    return row.state


def pid_of(row: Job) -> int:
    assert row.process_id is not None
    return Process.objects.get(pk=row.process_id).pid


def test_what_a_killed_worker_ran_is_finished_by_another_exactly_once(crew: Crew) -> None:
    crew.hire()
    crew.hire()
    row = crew.ask()
    crew.wait(lambda: state(row) == "running" and crew.notes() == ["began"])
    first = pid_of(row)
    os.kill(first, signal.SIGKILL)
    crew.end_of(first)
    crew.wait(lambda: crew.notes() == ["began", "began"])
    assert (state(row), row.attempts) == ("running", 2)
    assert pid_of(row) != first
    (crew.folder / "go").touch()
    crew.wait(lambda: state(row) == "succeeded")
    assert (row.result, row.attempts) == ("done", 2)
    assert crew.notes() == ["began", "began", "done"]


def test_a_worker_that_is_told_to_end_gives_its_job_back_and_goes(crew: Crew) -> None:
    crew.hire()
    row = crew.ask()
    crew.wait(lambda: state(row) == "running" and crew.notes() == ["began"])
    pid = pid_of(row)
    os.kill(pid, signal.SIGTERM)
    assert crew.end_of(pid) == 0, crew.log.read_text()
    assert (state(row), row.attempts, row.process_id) == ("waiting", 0, None)
    assert Process.objects.get(pid=pid).stopped_at is not None
