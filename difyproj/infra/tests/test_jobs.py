"""Jobs: rows are the truth, a job runs once at a time, starts on commit, and is tried again when that may help."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from accounts.services import accounts
from difyproj.infra import jobs
from difyproj.infra.jobs import JOBS, base, run
from difyproj.infra.models import AuditEntry, Job
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam
from difyproj.kernel.registry import UnknownEntry
from difyproj.testing.process import ROOT

pytestmark = pytest.mark.usefixtures("house_db")

KIND = "tests.work"


class Work(jobs.Job):
    """Does what the test says."""

    kind = KIND
    max_attempts = 3
    does: Callable[[jobs.Job], Any] = staticmethod(lambda job: None)

    def run(self) -> Any:
        return type(self).does(self)


@pytest.fixture(autouse=True)
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Work]]:
    monkeypatch.setattr(Work, "does", staticmethod(lambda job: None))
    JOBS.add(Work)
    yield Work
    JOBS.remove(KIND)
    base.stopping.clear()


def does(function: Callable[[jobs.Job], Any]) -> None:
    Work.does = staticmethod(function)


def test_what_a_job_returns_is_its_rows_result() -> None:
    does(lambda job: {"target": job.target_id, "tenant": str(job.tenant_id)})
    tenant_id = ids.new_id()
    row = jobs.enqueue(KIND, "t1", tenant_id=tenant_id)
    assert row.state == Job.State.WAITING
    assert jobs.run_waiting() == 1
    row.refresh_from_db()
    assert (row.state, row.attempts, row.error) == ("succeeded", 1, "")
    assert row.result == {"target": "t1", "tenant": str(tenant_id)}
    assert row.finished_at is not None and row.lease_until is None


def test_a_job_that_was_run_is_not_run_again() -> None:
    row = jobs.enqueue(KIND)
    assert [jobs.run_job(row.pk), jobs.run_job(row.pk), jobs.run_job(ids.new_id())] == [True, False, False]


def test_an_unknown_kind_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(UnknownEntry, match=r"infra\.mail"):
        jobs.enqueue("tests.nothing")
    assert not Job.objects.exists()


def test_a_rolled_back_transaction_leaves_no_job_and_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr("difyproj.infra.jobs.delivery.send_later", sent.append)
    with pytest.raises(RuntimeError), transaction.atomic():
        jobs.enqueue(KIND)
        raise RuntimeError
    assert not Job.objects.exists() and not sent
    with transaction.atomic():
        row = jobs.enqueue(KIND)
        assert not sent
    assert sent == [row.pk]


def test_a_unique_job_stands_once_until_it_has_ended() -> None:
    first = jobs.enqueue(KIND, "t1", unique=True)
    assert jobs.enqueue(KIND, "t1", unique=True).pk == first.pk
    assert jobs.enqueue(KIND, "t2", unique=True).pk != first.pk
    assert jobs.enqueue(KIND, "t1").pk != first.pk
    jobs.run_waiting()
    again = jobs.enqueue(KIND, "t1", unique=True)
    assert again.pk != first.pk and again.state == "waiting"


def test_a_refusal_fails_at_once_with_its_message() -> None:
    def refuse(job: jobs.Job) -> None:
        raise InvalidParam("The file is empty.")

    does(refuse)
    row = jobs.enqueue(KIND, "t1")
    jobs.run_waiting(due_only=False)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.error) == ("failed", 1, "The file is empty.")


def test_an_unexpected_error_is_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    does(lambda job: {"a": 1}["sk-secret"])
    row = jobs.enqueue(KIND)
    jobs.run_waiting(due_only=False)
    row.refresh_from_db()
    assert (row.state, row.error) == ("failed", "Unexpected KeyError; the worker's log says more.")
    assert "A job failed." in caplog.text


def test_a_result_that_is_not_json_fails_the_job() -> None:
    does(lambda job: object())
    row = jobs.enqueue(KIND)
    jobs.run_waiting()
    row.refresh_from_db()
    assert (row.state, row.error[:20]) == ("failed", "Unexpected TypeError")


def test_what_may_pass_is_tried_again_after_growing_pauses_and_then_given_up() -> None:
    pauses = []

    def fail(job: jobs.Job) -> None:
        raise ConnectionError("nobody \0 there")

    does(fail)
    row = jobs.enqueue(KIND, "t1")
    for _ in range(2):
        assert jobs.run_waiting() == 1
        row.refresh_from_db()
        assert (row.state, row.error) == ("waiting", "ConnectionError: nobody  there")
        pauses.append((row.not_before - clock.now()).total_seconds())
        Job.objects.update(not_before=clock.now())
    assert 1 < pauses[0] < 3 < pauses[1] < 6
    jobs.run_waiting()
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("failed", 3)


def test_a_job_may_name_its_own_pause() -> None:
    def later(job: jobs.Job) -> None:
        raise jobs.Retry("Not yet.", after=90)

    does(later)
    row = jobs.enqueue(KIND)
    jobs.run_waiting()
    row.refresh_from_db()
    assert (row.state, row.error) == ("waiting", "Not yet.")
    assert timedelta(seconds=80) < row.not_before - clock.now() <= timedelta(seconds=90)


def test_a_delayed_job_waits_and_tells_nobody_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[object] = []
    monkeypatch.setattr("difyproj.infra.jobs.delivery.send_later", sent.append)
    row = jobs.enqueue(KIND, delay=60)
    assert jobs.run_waiting() == 0 and not jobs.run_job(row.pk) and not sent
    assert jobs.run_waiting(due_only=False) == 1


def test_progress_is_written_once_a_second_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int | None]] = []

    def count(job: jobs.Job) -> None:
        for done in range(1, 6):
            job.progress(done, 5)
            seen.append(Job.objects.values_list("progress_done", "progress_total").get())

    does(count)
    jobs.enqueue(KIND)
    jobs.run_waiting()
    assert seen == [(0, None)] * 4 + [(5, 5)]
    monkeypatch.setattr(Work, "progress_seconds", 0.0)
    seen.clear()
    jobs.enqueue(KIND)
    Job.objects.filter(state="succeeded").delete()
    jobs.run_waiting()
    assert seen == [(done, 5) for done in range(1, 6)]


def test_a_cancelled_job_does_not_run() -> None:
    row = jobs.enqueue(KIND, "t1", unique=True)
    assert jobs.cancel(row.pk) and not jobs.cancel(row.pk)
    assert jobs.run_waiting() == 0
    assert jobs.enqueue(KIND, "t1", unique=True).pk != row.pk


def test_a_job_that_is_cancelled_under_way_ends_at_its_next_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Work, "progress_seconds", 0.0)
    reached = []

    def work(job: jobs.Job) -> None:
        jobs.cancel(job.id)
        reached.append(1)
        job.progress(1)
        reached.append(2)

    does(work)
    row = jobs.enqueue(KIND)
    jobs.run_waiting()
    row.refresh_from_db()
    assert (row.state, reached) == ("cancelled", [1])


def test_the_result_of_a_job_that_was_taken_over_is_thrown_away() -> None:
    def lose(job: jobs.Job) -> str:
        Job.objects.filter(pk=job.id).update(attempts=2, process_id=ids.new_id())
        return "late"

    does(lose)
    row = jobs.enqueue(KIND)
    jobs.run_waiting()
    row.refresh_from_db()
    assert (row.state, row.result, row.attempts) == ("running", None, 2)


def test_a_stopping_worker_gives_the_job_back_and_the_attempt_does_not_count() -> None:
    def work(job: jobs.Job) -> None:
        base.stopping.set()
        job.check()

    does(work)
    row = jobs.enqueue(KIND)
    assert jobs.run_job(row.pk)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.process_id) == ("waiting", 0, None)


def test_a_failed_job_is_run_again_when_somebody_asks() -> None:
    does(lambda job: {"a": 1}["x"])
    row = jobs.enqueue(KIND)
    jobs.run_waiting()
    assert jobs.retry(row.pk) and not jobs.retry(row.pk)
    does(lambda job: "well")
    jobs.run_waiting()
    row.refresh_from_db()
    assert (row.state, row.result, row.error, row.attempts) == ("succeeded", "well", "", 1)


def test_every_file_in_a_tasks_folder_is_one_job_of_its_name() -> None:
    for kind in JOBS.kinds():
        assert JOBS.get(kind).kind == kind
    assert {"infra.mail", "infra.retention"} <= set(JOBS.kinds())


def test_a_job_whose_code_is_gone_fails_with_a_reason() -> None:
    row = jobs.enqueue(KIND)
    JOBS.remove(KIND)
    jobs.run_waiting()
    row.refresh_from_db()
    assert row.state == "failed" and "Unknown job" in row.error


def test_what_a_job_writes_is_audited_as_done_by_who_asked_for_it() -> None:
    does(lambda job: str(accounts.create(email=f"{job.target_id}@house.example", name="New").pk))
    bob = ids.new_id()
    jobs.enqueue(KIND, "asked", created_by_id=bob)
    jobs.enqueue(KIND, "by-itself")
    jobs.run_waiting()
    asked, by_itself = Job.objects.order_by("created_at")
    entries = {entry.target_id: entry for entry in AuditEntry.objects.filter(action="account.created")}
    first, second = entries[str(asked.result)], entries[str(by_itself.result)]
    assert (first.actor_kind, first.actor_id, first.request_id) == ("account", bob, f"job {asked.pk}")
    assert (second.actor_kind, second.actor_id) == ("system", None)


def test_run_keeps_to_the_kinds_it_is_given() -> None:
    jobs.enqueue(KIND)
    assert run.run_waiting("infra.mail") == 0
    assert run.run_waiting(KIND) == 1


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import difyproj.asgi; from difyproj.infra import jobs, mail", ("celery", "kombu")),
        (
            "import sys; sys.argv[1:] = ['work']; import django; django.setup(); import difyproj.infra.jobs.worker",
            ("apps.admin",),
        ),
    ],
    ids=["a web process starts without the task engine", "a worker starts without the admin"],
)
def test_a_process_imports_only_what_it_needs(code: str, absent: tuple[str, ...]) -> None:
    ask = f"{code}; import sys; print([name for name in {absent} if name in sys.modules])"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "difyproj.settings.test"}
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr
