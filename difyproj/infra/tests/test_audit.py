"""Each write of a watched row leaves an entry: who, what, before, after, from where; and never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import copy_context

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction

from accounts.models import Membership
from accounts.services import accounts, credentials, tenants
from apps.services import apps, sites, tokens
from difyproj.infra import audit
from difyproj.infra.models import AuditEntry
from difyproj.infra.models.audit import AppendOnly
from difyproj.testing.cast import PASSWORD, Cast
from difyproj.testing.console import signed_in
from difyproj.testing.served import Served

HIDDEN = {"password": "***REDACTED***"}


@pytest.fixture(autouse=True)
def _nobody() -> Iterator[None]:
    """Whoever an earlier test said was acting in this thread acts no more."""
    before = audit._actor.set(None)
    yield
    audit._actor.reset(before)


def newest(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).order_by("-created_at", "-id")[0]


def test_a_created_changed_and_deleted_row_leaves_three_entries(cast: Cast) -> None:
    app = apps.create(tenant=cast.alice.tenant, name="Before", mode="chat", config={})
    apps.update(app, name="After")
    app_id = str(app.pk)
    app.delete()
    made, changed, gone = (newest(f"app.{what}") for what in ("created", "updated", "deleted"))
    assert {made.target_id, changed.target_id, gone.target_id} == {app_id}
    assert made.before is None
    assert made.after is not None and made.after["name"] == "Before"
    assert (changed.before, changed.after) == ({"name": "Before"}, {"name": "After"})
    assert gone.before is not None and gone.before["name"] == "After"
    assert {entry.tenant_id for entry in (made, changed, gone)} == {cast.alice.tenant.pk}
    assert made.actor_kind == "system"


def test_a_row_below_an_app_is_noted_for_its_tenant(cast: Cast) -> None:
    app = apps.create(tenant=cast.alice.tenant, name="A", mode="chat", config={})
    sites.update(sites.of(app), title="New title")
    assert newest("site.updated").tenant_id == cast.alice.tenant.pk


def test_no_secret_is_among_the_fields(cast: Cast) -> None:
    accounts.set_password(account=cast.bob.account, password=PASSWORD + " new")
    row = credentials.create(
        tenant=cast.alice.tenant, provider="openai", values={"openai_api_key": "sk-very-secret-key"}, name="main"
    )
    credentials.update(credential=row, values={"openai_api_key": "sk-another-secret"})
    app = apps.create(tenant=cast.alice.tenant, name="A", mode="chat", config={})
    _, raw = tokens.create(tenant=cast.alice.tenant, app=app)
    told = str(list(AuditEntry.objects.values_list("before", "after")))
    for secret in ("sk-very", "sk-another", raw, "argon2", "md5$", "token_hash"):
        assert secret not in told


def test_another_secret_is_a_change_that_tells_no_secret(cast: Cast) -> None:
    accounts.set_password(account=cast.bob.account, password=PASSWORD + " new")
    password = newest("account.updated")
    assert (password.target_id, password.before, password.after) == (str(cast.bob.account.pk), HIDDEN, HIDDEN)
    row = credentials.create(
        tenant=cast.alice.tenant, provider="openai", values={"openai_api_key": "sk-very-secret-key"}, name="main"
    )
    credentials.update(credential=row, values={"openai_api_key": "sk-another-secret"})
    sealed = newest("modelcredential.updated")
    assert (sealed.target_id, sealed.tenant_id) == (str(row.pk), cast.alice.tenant.pk)
    for told in (sealed.before, sealed.after):
        assert told is not None and told["sealed"] == "***REDACTED***"
    before = AuditEntry.objects.count()
    row.refresh_from_db()
    row.save()
    assert AuditEntry.objects.count() == before


def test_a_use_of_a_row_is_no_change_of_it(cast: Cast) -> None:
    before = AuditEntry.objects.count()
    cast.alice.account.last_login_ip = "192.0.2.1"
    cast.alice.account.save()
    assert AuditEntry.objects.count() == before


def test_a_write_that_is_undone_leaves_nothing(cast: Cast) -> None:
    before = AuditEntry.objects.count()
    with pytest.raises(RuntimeError), transaction.atomic():
        apps.create(tenant=cast.alice.tenant, name="A", mode="chat", config={})
        raise RuntimeError
    assert AuditEntry.objects.count() == before


def test_entries_are_only_ever_added(cast: Cast) -> None:
    entry = newest("tenant.created")
    with pytest.raises(AppendOnly):
        entry.delete()
    with pytest.raises(AppendOnly):
        entry.save()
    with pytest.raises(AppendOnly):
        AuditEntry.objects.all().delete()


def test_the_actor_of_a_request_is_noted_and_another_request_is_another(cast: Cast) -> None:
    def demote() -> None:
        audit.begin(ip="192.0.2.7", request_id="r-1")
        audit.identify(cast.alice.principal)
        tenants.change_role(membership=Membership.objects.get(account=cast.bob.account), role="normal")

    copy_context().run(demote)
    entry = newest("membership.updated")
    assert (entry.actor_kind, entry.actor_id, entry.ip, entry.request_id) == (
        "account", cast.alice.account.pk, "192.0.2.7", "r-1",
    )  # fmt: skip
    assert (entry.before, entry.after) == ({"role": "editor"}, {"role": "normal"})


async def test_a_call_through_the_console_is_noted_with_its_account_and_request(house: Served) -> None:
    alice = await signed_in(house, house.cast.alice)
    answer = await alice.post("/tags", {"name": "News", "type": "app"}, headers={"X-Request-ID": "from-a-test"})
    assert answer.status == 200, answer.body
    entry = await sync_to_async(newest)("tag.created")
    assert (entry.actor_kind, entry.actor_id) == ("account", house.cast.alice.account.pk)
    assert (entry.ip, entry.request_id) == ("127.0.0.1", "from-a-test")
    assert entry.after is not None and entry.after["name"] == "News"
