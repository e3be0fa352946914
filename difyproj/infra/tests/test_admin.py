"""The admin of the infrastructure: pages load, nothing is changed by hand, kept answers are not shown."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.services import accounts
from difyproj.infra import leases
from difyproj.infra.models import AuditEntry, CacheVersion, IdempotencyKey, Process
from difyproj.kernel import clock

MOST_QUERIES = 15
PAGES = ("process", "auditentry", "idempotencykey", "cacheversion")
KEPT = "dataset-kept-0123456789abcdef"


@pytest.fixture
def root(house_db: None, client: Client) -> Client:
    client.force_login(accounts.create(email="root@house.example", name="Root", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def rows(house_db: None) -> dict[str, Model]:
    """Some of each kind; the last of them by page."""
    made: dict[str, Model] = {}
    for number in range(12):
        made["process"] = Process.objects.create(host=f"host-{number}", pid=number, role="web")
        made["auditentry"] = AuditEntry.objects.create(
            actor_kind="account", action="app.rename", target_kind="app", before={"name": "old"}, after={"name": "<b>new</b>"}
        )
        made["idempotencykey"] = IdempotencyKey.objects.create(
            tenant_id=uuid4(), scope="app", key=f"k{number}", request_hash="f" * 64, state="done", response_body={"t": KEPT}
        )
        made["cacheversion"] = CacheVersion.objects.create(namespace=f"rows-{number}", version=number)
    return made


def page(client: Client, path: str) -> str:
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(f"/admin/infra/{path}", follow=True)
    assert answer.status_code == 200, path
    assert len(asked) <= MOST_QUERIES, [query["sql"] for query in asked]
    return answer.content.decode()


@pytest.mark.parametrize("model", PAGES)
def test_lists_and_pages_load_with_few_queries_and_without_kept_answers(
    root: Client, rows: dict[str, Model], model: str
) -> None:
    for path in ("", "?q=a", f"{rows[model].pk}/change/"):
        shown = page(root, f"{model}/{path}")
        assert KEPT not in shown
        assert "f" * 64 not in shown


# The operator who looks was made by somebody, and that was noted.
@pytest.mark.parametrize("model", [name for name in PAGES if name != "auditentry"])
def test_a_list_without_rows_says_what_will_stand_there(root: Client, model: str) -> None:
    CacheVersion.objects.all().delete()
    assert "Nothing here yet" in page(root, f"{model}/")


@pytest.mark.parametrize("model", PAGES)
def test_nothing_is_changed_by_hand(root: Client, rows: dict[str, Model], model: str) -> None:
    assert root.get(f"/admin/infra/{model}/add/").status_code == 403
    assert root.post(f"/admin/infra/{model}/{rows[model].pk}/change/", {}).status_code == 403
    assert root.post(f"/admin/infra/{model}/{rows[model].pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_audit_entry_shows_what_changed(root: Client, rows: dict[str, Model]) -> None:
    shown = page(root, f"auditentry/{rows['auditentry'].pk}/change/")
    assert "&quot;old&quot;" in shown and "&lt;b&gt;new&lt;/b&gt;" in shown and "<b>new</b>" not in shown


@pytest.mark.parametrize(
    ("state", "values"),
    [
        ("alive", {}),
        ("silent", {"heartbeat_at": timedelta(seconds=2 * leases.DEAD_SECONDS)}),
        ("ended", {"stopped_at": timedelta(0)}),
        ("taken over", {"claimed_at": timedelta(0)}),
    ],
)
def test_a_process_says_how_it_is(root: Client, state: str, values: dict[str, timedelta]) -> None:
    now = clock.now()
    Process.objects.create(host="host", pid=1, role="web", **{name: now - ago for name, ago in values.items()})
    assert f">{state}<" in "".join(page(root, "process/").split("\n")).replace("  ", "").replace("> ", ">").replace(" <", "<")
