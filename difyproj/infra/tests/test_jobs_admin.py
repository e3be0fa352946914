"""Jobs in the admin: how far they are, why they failed, and two things that an operator may do about it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Account
from accounts.services import accounts
from difyproj.infra.models import Job

LIST = "/admin/infra/job/"
MOST_QUERIES = 15


@pytest.fixture
def root(house_db: None, client: Client) -> Client:
    client.force_login(accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True))
    return client


def make(state: str, **fields: object) -> Job:
    return Job.objects.create(kind="infra.mail", target_id=state, state=state, attempts=1, max_attempts=8, **fields)


def act(client: Client, action: str, *rows: Job) -> str:
    words = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    return client.post(LIST, words, follow=True).content.decode()


def test_the_list_and_the_page_tell_progress_and_error(root: Client) -> None:
    for _ in range(10):
        row = make("failed", error="<b>No answer</b>", progress_done=3, progress_total=7, result={"sent": False})
    with CaptureQueriesContext(connection) as asked:
        listed = root.get(LIST).content.decode()
    assert len(asked) <= MOST_QUERIES
    page = root.get(f"{LIST}{row.pk}/change/").content.decode()
    for text in (listed, page):
        assert "&lt;b&gt;No answer&lt;/b&gt;" in text and "<b>No answer" not in text
        assert '<progress value="3" max="7"></progress> 3 of 7' in text
        assert "1 of 8" in text
    assert "&quot;sent&quot;: false" in page
    assert str(row.pk) in root.get(f"{LIST}?q={row.pk}").content.decode()


def test_an_operator_runs_failed_jobs_again(root: Client) -> None:
    failed, running = make("failed", error="away"), make("running")
    assert "Will be run again: 1." in act(root, "retry", failed, running)
    failed.refresh_from_db()
    running.refresh_from_db()
    assert (failed.state, failed.attempts, failed.error, running.state) == ("waiting", 0, "", "running")
    assert "None of these had failed" in act(root, "retry", failed)


def test_an_operator_cancels_what_has_not_ended(root: Client) -> None:
    waiting, running, done = make("waiting"), make("running"), make("succeeded")
    assert "Cancelled: 2." in act(root, "cancel", waiting, running, done)
    assert [Job.objects.get(pk=row.pk).state for row in (waiting, running, done)] == ["cancelled", "cancelled", "succeeded"]
    assert "All of these had ended." in act(root, "cancel", done)


def test_nobody_else_sees_or_steers_jobs(house_db: None, client: Client) -> None:
    row = make("waiting")
    account: Account = accounts.create(email="staff@house.example", name="Staff", is_staff=True)
    client.force_login(account)
    assert client.get(LIST).status_code == 403
    act(client, "cancel", row)
    row.refresh_from_db()
    assert row.state == "waiting"
