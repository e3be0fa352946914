"""Triggers: they follow the published graph, keep their address, can be switched off, and belong to their tenant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.services import data_keys
from apps.models import App, AppStatus
from difyproj.infra.models import AuditEntry
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import InvalidParam, NotFound
from difyproj.testing.cast import Cast, Person
from workflows.models import Trigger, Workflow
from workflows.services import drafts, triggers, versions

from .rows import graph_app, published, with_nodes

HOOK: dict[str, Any] = {"type": "trigger-webhook", "title": "Hook", "method": "post"}
TICK: dict[str, Any] = {
    "type": "trigger-schedule", "title": "Tick", "mode": "cron", "cron_expression": "*/5 * * * *", "timezone": "UTC",
}  # fmt: skip


def follow(app: App, **nodes: dict[str, Any]) -> list[Trigger]:
    return triggers.sync(app, Workflow(graph=with_nodes(*nodes.items())))


def hooked(person: Person) -> Trigger:
    (row,) = follow(graph_app(person), hook=HOOK)
    return row


def test_a_new_trigger_node_gets_an_address_of_its_own(alice: Person) -> None:
    app = graph_app(alice)
    first, second = follow(app, one=HOOK, two={**HOOK, "title": "Second"})
    assert [row.node_id for row in triggers.of_app(app)] == ["one", "two"]
    assert (first.kind, first.title, first.configuration, first.enabled) == ("webhook", "Hook", HOOK, True)
    assert first.token and second.token and first.token != second.token
    assert triggers.by_token(first.token).pk == first.pk
    assert triggers.of_node(app, "two").pk == second.pk


def test_an_address_outlives_every_publication(alice: Person) -> None:
    app = graph_app(alice)
    (before,) = follow(app, hook=HOOK)
    triggers.renew_signing_key(before)
    (after,) = follow(app, hook={**HOOK, "method": "get"})
    kept = triggers.of_node(app, "hook")
    assert (kept.pk, kept.token, kept.configuration["method"]) == (before.pk, before.token, "get")
    assert triggers.signing_key(kept) == triggers.signing_key(before) != ""
    entries = AuditEntry.objects.count()
    follow(app, hook={**HOOK, "method": "get"})
    assert AuditEntry.objects.count() == entries
    follow(app)
    assert triggers.of_app(app) == []
    with pytest.raises(NotFound):
        triggers.by_token(str(after.token))


def test_a_node_that_became_another_kind_is_another_trigger(alice: Person) -> None:
    app = graph_app(alice)
    (hook,) = follow(app, node=HOOK)
    (tick,) = follow(app, node=TICK)
    assert tick.pk != hook.pk
    assert (triggers.of_node(app, "node").kind, triggers.of_node(app, "node").token) == ("schedule", None)


def test_what_is_switched_off_or_removed_answers_nobody(alice: Person) -> None:
    row = hooked(alice)
    token = str(row.token)
    triggers.set_enabled(row, enabled=False)
    with pytest.raises(NotFound):
        triggers.by_token(token)
    triggers.set_enabled(row, enabled=True)
    assert triggers.by_token(token).pk == row.pk
    App.objects.filter(pk=row.app_id).update(status=AppStatus.REMOVED)
    for unknown in (token, "x", "", "x\0"):
        with pytest.raises(NotFound):
            triggers.by_token(unknown)


def test_a_signing_key_is_sealed_and_can_be_renewed(alice: Person) -> None:
    row = hooked(alice)
    assert triggers.signing_key(row) == ""
    key = triggers.renew_signing_key(row)
    assert len(key) >= 40
    assert key not in str(Trigger.objects.filter(pk=row.pk).values().get())
    data_keys.renew(alice.tenant.pk)
    assert triggers.signing_key(triggers.of_node(row.app, "hook")) == key
    renewed = triggers.renew_signing_key(row)
    assert renewed != key
    assert triggers.signing_key(triggers.of_node(row.app, "hook")) == renewed
    assert not [secret for secret in (key, renewed, str(row.token)) if secret in told()]
    triggers.drop_signing_key(row)
    assert triggers.signing_key(triggers.of_node(row.app, "hook")) == ""


def told() -> str:
    return str(list(AuditEntry.objects.values_list("before", "after")))


def test_what_became_of_it_is_noted(alice: Person) -> None:
    row, run_id = hooked(alice), ids.new_id()
    triggers.note_run(row, run_id=run_id, error="No\0 model.")
    kept = triggers.of_node(row.app, "hook")
    assert (kept.last_run_id, kept.last_error) == (run_id, "No model.")
    assert kept.last_at is not None


def test_triggers_of_other_tenants_are_not_found(cast: Cast) -> None:
    row = hooked(cast.alice)
    assert triggers.get(cast.norma.principal, str(row.pk)).app_id == row.app_id
    for unknown in (row.pk, "x"):
        with pytest.raises(NotFound):
            triggers.get(cast.eve.principal, unknown)
    with pytest.raises(NotFound):
        triggers.of_node(graph_app(cast.eve), "hook")
    assert not Trigger.objects.visible_to(cast.eve.principal).exists()


def test_one_node_has_one_trigger(alice: Person) -> None:
    row = hooked(alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Trigger.objects.create(tenant=row.tenant, app=row.app, node_id="hook", kind="webhook")


def due(person: Person, *, ago: float = 1.0, **fields: Any) -> Trigger:
    """A schedule whose tick was so many seconds ago."""
    (row,) = follow(graph_app(person), tick=TICK)
    Trigger.objects.filter(pk=row.pk).update(next_at=clock.now() - timedelta(seconds=ago), **fields)
    return row


def claimed(number: int = 0) -> list[Trigger]:
    try:
        return triggers.claim_due()
    finally:
        connection.close()


def test_each_tick_is_claimed_once_however_many_ask(alice: Person) -> None:
    rows = {due(alice).pk for _ in range(3)}
    with ThreadPoolExecutor(4) as threads:
        found = [row.pk for made in threads.map(claimed, range(8)) for row in made]
    assert len(found) == 3
    assert set(found) == rows
    assert triggers.claim_due() == []
    assert Trigger.objects.filter(last_at__isnull=False).count() == 3


def test_what_is_not_due_or_switched_off_or_removed_is_not_claimed(alice: Person) -> None:
    due(alice, ago=-60)
    due(alice, enabled=False)
    removed = due(alice)
    App.objects.filter(pk=removed.app_id).update(status=AppStatus.REMOVED)
    assert triggers.claim_due() == []
    first, second = due(alice, ago=60), due(alice, ago=30)
    assert [row.pk for row in triggers.claim_due(limit=1)] == [first.pk]
    assert [(row.pk, row.app.tenant_id) for row in triggers.claim_due()] == [(second.pk, alice.tenant.pk)]


def test_a_schedule_ticks_on_after_each_claim(alice: Person) -> None:
    row = due(alice, ago=3 * 24 * 3600)
    (fired,) = triggers.claim_due()
    assert fired.pending_at is not None and fired.pending_at < clock.now() - timedelta(days=2)
    kept = triggers.of_node(row.app, "tick")
    assert kept.pending_at == fired.pending_at
    assert kept.next_at is not None
    assert timedelta(0) < kept.next_at - clock.now() <= timedelta(minutes=5)
    assert (kept.next_at.minute % 5, kept.next_at.second) == (0, 0)


def test_a_tick_that_nobody_settled_comes_again_after_a_while(alice: Person) -> None:
    due(alice)
    (first,) = triggers.claim_due()
    Trigger.objects.update(next_at=clock.now() + timedelta(hours=1))
    soon, later = clock.now() + timedelta(seconds=20), clock.now() + timedelta(seconds=31)
    assert triggers.claim_due(now=soon) == []
    (again,) = triggers.claim_due(now=later)
    assert (again.pk, again.pending_at) == (first.pk, first.pending_at)
    triggers.settle(again)
    assert triggers.claim_due(now=later + timedelta(seconds=31)) == []


def test_a_schedule_that_is_switched_on_again_goes_on_with_its_next_tick(alice: Person) -> None:
    row = due(alice, ago=3600)
    triggers.set_enabled(row, enabled=False)
    assert triggers.claim_due() == []
    triggers.set_enabled(row, enabled=True)
    assert triggers.claim_due() == []
    kept = triggers.of_node(row.app, "tick")
    assert kept.next_at is not None and kept.next_at > clock.now()


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"cron_expression": "every day"}, "data.cron_expression"),
        ({"timezone": "Moon/Base"}, "data.timezone"),
        ({"mode": "odd"}, "data"),
    ],
)
def test_a_schedule_that_is_none_is_refused_by_node_and_field(alice: Person, changed: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParam) as refused:
        follow(graph_app(alice), tick={**TICK, **changed})
    assert refused.value.params == f"nodes.tick.{field}"
    assert not Trigger.objects.exists()


def test_a_schedule_that_cannot_be_read_any_more_holds_up_no_other(alice: Person) -> None:
    broken, other = due(alice, configuration={**TICK, "timezone": "Moon/Base"}), due(alice)
    assert {row.pk for row in triggers.claim_due()} == {broken.pk, other.pk}
    assert Trigger.objects.get(pk=broken.pk).next_at is None


def test_publishing_makes_the_triggers(alice: Person) -> None:
    graph = with_nodes(("tick", TICK), ("hook", HOOK))
    app = published(alice, graph=graph)
    assert {row.node_id: row.kind for row in triggers.of_app(app)} == {"tick": "schedule", "hook": "webhook"}
    drafts.save(app, by=None, given_hash=None, graph=with_nodes(("tick", {**TICK, "cron_expression": "nonsense"})))
    with pytest.raises(InvalidParam):
        versions.publish(app, by=None)
    assert len(triggers.of_app(app)) == 2
