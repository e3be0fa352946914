"""What is old is forgotten, a thousand at a time, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session

from difyproj.infra import jobs, mail, retention
from difyproj.infra.models import IdempotencyKey, Job, OutgoingMail
from difyproj.kernel import clock, ids

pytestmark = pytest.mark.usefixtures("house_db")


def key(number: int, hours: float) -> IdempotencyKey:
    created = clock.now() - timedelta(hours=hours)
    return IdempotencyKey(tenant_id=ids.new_id(), scope="app", key=str(number), request_hash="0" * 64, created_at=created)


def test_only_keys_older_than_a_day_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    IdempotencyKey.objects.bulk_create([key(number, 24.1) for number in range(5)] + [key(5, 23.9)])
    assert retention.forget_old_keys() == 5
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["5"]
    assert retention.forget_old_keys() == 0


def test_the_job_forgets_old_jobs_unsent_mail_and_sessions_and_says_how_many() -> None:
    now = clock.now()
    for days in (6.9, 7.1):
        Job.objects.create(kind="infra.mail", state="failed", finished_at=now - timedelta(days=days))
        mail.send("bob@acme.example", "Hello", "Hi")
    OutgoingMail.objects.filter(pk=OutgoingMail.objects.values("pk")[:1]).update(created_at=now - timedelta(days=3.1))
    for number, hours in enumerate((-1, 1)):
        Session.objects.create(session_key=f"s{number}", session_data="", expire_date=now + timedelta(hours=hours))
    row = jobs.enqueue("infra.retention")
    assert jobs.run_waiting("infra.retention") == 1
    row.refresh_from_db()
    assert row.result == {"idempotency_keys": 0, "jobs": 1, "unsent_mail": 1, "sessions": 1}
    assert OutgoingMail.objects.count() == 1 and Job.objects.count() == 4
    assert Session.objects.get().session_key == "s1"
