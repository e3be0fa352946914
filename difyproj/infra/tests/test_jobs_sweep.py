"""The sweeper: no row waits for ever, whatever was lost between it and a worker."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError
from django.utils.connection import ConnectionDoesNotExist

from difyproj.infra import jobs, leases, this_host
from difyproj.infra.jobs import JOBS, delivery, run, sweep, worker
from difyproj.infra.models import Job, Process
from difyproj.kernel import clock, ids

pytestmark = pytest.mark.usefixtures("house_db")

KIND = "tests.swept"


class Swept(jobs.Job):
    kind = KIND
    max_attempts = 2

    def run(self) -> None:
        return


@pytest.fixture(autouse=True)
def _kind() -> Iterator[None]:
    JOBS.add(Swept)
    yield
    JOBS.remove(KIND)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """What the task engine was told."""
    told: list[UUID] = []

    def send(job_id: UUID) -> bool:
        told.append(job_id)
        return True

    monkeypatch.setattr(delivery, "send", send)
    return told


def ago(seconds: float) -> Any:
    return clock.now() - timedelta(seconds=seconds)


def running(*, attempts: int = 1, lease: float = 30, process_id: UUID | None = None) -> Job:
    return Job.objects.create(
        kind=KIND,
        state=Job.State.RUNNING,
        attempts=attempts,
        max_attempts=2,
        unique_key=str(ids.new_id()),
        process_id=process_id or ids.new_id(),
        lease_until=ago(-lease),
    )


def state(row: Job) -> str:
    row.refresh_from_db()
    return row.state


def test_a_job_whose_lease_ran_out_waits_again_and_is_sent_and_run(sent: list[UUID]) -> None:
    lost, held = running(lease=-1), running()
    assert sweep.release_lost() == 1
    assert (state(lost), lost.attempts, lost.error) == ("waiting", 1, sweep.LOST)
    assert state(held) == "running"
    assert sweep.send_due() == 1 and sent == [lost.pk]
    assert jobs.run_job(lost.pk)
    assert (state(lost), lost.attempts, lost.error) == ("succeeded", 2, "")


def test_a_job_that_used_up_its_attempts_fails_with_a_reason() -> None:
    row = running(attempts=2, lease=-1)
    sweep.release_lost()
    assert (state(row), row.error, row.unique_key) == ("failed", sweep.LOST, None)
    assert row.finished_at is not None


def test_a_worker_of_this_machine_that_is_gone_is_not_waited_for() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone = Process.objects.create(host=this_host.name(), pid=ended.pid, started_ticks=1, role="worker")
    elsewhere = Process.objects.create(host="elsewhere", pid=ended.pid, started_ticks=1, role="worker")
    here, there = running(process_id=gone.pk), running(process_id=elsewhere.pk)
    assert sweep.release_lost() == 1
    assert (state(here), state(there)) == ("waiting", "running")


def test_a_process_keeps_the_jobs_that_it_runs_and_renews_their_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def work(job: jobs.Job) -> None:
        Job.objects.filter(pk=job.id).update(lease_until=ago(5))
        assert sweep.release_lost() == 0
        sweep.renew_leases()
        other.refresh_from_db()
        lease = Job.objects.values_list("lease_until", flat=True).get(pk=job.id)
        seen.extend([lease > ago(-run.LEASE_SECONDS + 5), other.lease_until < ago(-6)])

    other = running(lease=5)
    monkeypatch.setattr(Swept, "run", work)
    row = jobs.enqueue(KIND)
    jobs.run_waiting()
    assert (state(row), seen) == ("succeeded", [True, True])


def test_a_job_whose_end_could_not_be_written_is_released_although_its_worker_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    row = jobs.enqueue(KIND)
    with monkeypatch.context() as away:
        away.setattr(jobs.Job, "own_row", lambda self: Job.objects.none().using("nowhere"))
        away.setattr(Swept, "retryable", ())
        with pytest.raises(ConnectionDoesNotExist):
            jobs.run_job(row.pk)
    Job.objects.update(lease_until=ago(1))
    sweep.renew_leases()
    assert sweep.release_lost() == 1
    assert state(row) == "waiting"


def test_a_new_job_is_taken_for_lost_only_after_a_moment(sent: list[UUID]) -> None:
    row = jobs.enqueue(KIND)
    sent.clear()
    assert sweep.send_due() == 0
    moment = ago(sweep.GRACE_SECONDS + 1)
    Job.objects.update(created_at=moment, not_before=moment)
    assert sweep.send_due() == 1 and sent == [row.pk]
    assert sweep.send_due() == 0, "It was sent just now."
    Job.objects.update(delivered_at=ago(sweep.RESEND_SECONDS + 1))
    assert sweep.send_due() == 1 and sent == [row.pk, row.pk]


def test_a_delayed_job_is_sent_when_its_time_has_come(sent: list[UUID]) -> None:
    row = jobs.enqueue(KIND, delay=60)
    assert sweep.send_due() == 0
    Job.objects.update(created_at=ago(60), not_before=ago(0.01))
    assert sweep.send_due() == 1 and sent == [row.pk]


def test_while_the_broker_is_away_jobs_stay_due(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[UUID] = []
    monkeypatch.setattr(delivery, "send", asked.append)
    for _ in range(3):
        jobs.enqueue(KIND)
    Job.objects.update(created_at=ago(10), not_before=ago(10))
    assert sweep.send_due() == 0
    assert len(asked) == 1, "One try is enough to know."
    assert not Job.objects.exclude(delivered_at=None).exists()


def test_two_sweepers_send_a_job_once(sent: list[UUID], monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.enqueue(KIND)
    Job.objects.update(created_at=ago(10), not_before=ago(10))
    told = delivery.send
    results: list[int] = []

    def meanwhile(job_id: UUID) -> bool:
        monkeypatch.setattr(delivery, "send", told)
        results.append(sweep.send_due())
        return told(job_id)

    monkeypatch.setattr(delivery, "send", meanwhile)
    assert sweep.send_due() == 1
    assert results == [0] and len(sent) == 1


def test_periodic_work_is_asked_for_once_in_its_time(settings: Any) -> None:
    settings.PERIODIC_JOBS = {KIND: 3600}
    sweep.enqueue_periodic()
    sweep.enqueue_periodic()
    row = Job.objects.get()
    jobs.run_waiting()
    sweep.enqueue_periodic()
    assert Job.objects.get().pk == row.pk
    Job.objects.update(created_at=ago(3601))
    sweep.enqueue_periodic()
    assert Job.objects.filter(state="waiting").count() == 1


def test_what_runs_by_the_clock_exists(settings: Any) -> None:
    assert set(settings.PERIODIC_JOBS) <= set(JOBS.kinds())


def test_a_workers_duties_go_on_when_the_database_was_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []

    def fail_once() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise OperationalError("away")

    monkeypatch.setattr(worker, "sweep", fail_once)
    duties = worker.Duties(sweep_every=0.01)
    duties.start()
    deadline = time.monotonic() + 10
    while len(rounds) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    duties.stop()
    assert len(rounds) >= 3
    assert "tried again: away" in caplog.text


def test_a_worker_that_was_taken_for_dead_registers_anew() -> None:
    first = leases.register("worker")
    try:
        Process.objects.update(claimed_at=clock.now())
        worker._beat()
        assert leases.mine() not in (None, first.pk)
        assert Process.objects.filter(claimed_at=None, role="worker").count() == 1
    finally:
        leases.stop()


def test_messages_are_sent_by_a_thread_of_their_own(settings: Any, sent: list[UUID]) -> None:
    settings.TASK_BROKER_URL = "sqlite:////unused"
    row = jobs.enqueue(KIND)
    deadline = time.monotonic() + 10
    while not sent and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sent == [row.pk]
