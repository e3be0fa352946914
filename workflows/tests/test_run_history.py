"""The history of runs: lists by cursor, counts, one run and its trace, for its own tenant, in a fixed number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from apps.models import App, Conversation, EndUser, Message, Run
from apps.services import app_removal
from difyproj.infra.days import Span
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import NotFound
from difyproj.testing.cast import Cast, Person
from difyproj.testing.queries import counted
from workflows.models import NodeExecution, RunEventRow, Trigger, Workflow, WorkflowRun
from workflows.services import drafts, runnable, runs, statistics, triggers

from .rows import GRAPH, drafted, graph_app, published, run_of

NOW = clock.now()


def several(app: App, times: int, **fields: Any) -> list[WorkflowRun]:
    """Newest first."""
    return [run_of(app, at=NOW - timedelta(minutes=number), **fields) for number in range(times)]


def walked(app: App, **options: Any) -> list[Any]:
    """All pages of two, one after the other."""
    found: list[Any] = []
    while True:
        window = runs.window(app, last_id=found[-1] if found else None, limit=2, **options)
        found += [row.run_id for row in window.rows]
        if not window.has_more:
            return found


def test_runs_are_listed_newest_first_page_by_page(alice: Person) -> None:
    app = graph_app(alice)
    rows = several(app, 5)
    run_of(graph_app(alice))
    assert walked(app) == [row.run_id for row in rows]


def test_the_list_is_narrowed_by_status_and_by_what_started_the_run(alice: Person) -> None:
    app = graph_app(alice)
    good = several(app, 3, triggered_from="debugging")
    bad = several(app, 3, triggered_from="app-run", status="failed", error="No.")
    timed = several(app, 1, triggered_from="schedule")
    ours = [row.run_id for row in bad]
    assert walked(app, triggered_from=["debugging"]) == [row.run_id for row in good]
    assert walked(app, status="failed") == walked(app, triggered_from=["app-run"]) == ours
    assert walked(app, status="failed", triggered_from=["app-run", "schedule"]) == ours
    assert set(walked(app, triggered_from=["app-run", "schedule"])) == {*ours, timed[0].run_id}
    assert walked(app, status="failed", triggered_from=["debugging"]) == []


def test_runs_of_one_moment_are_all_listed_once(alice: Person) -> None:
    app = graph_app(alice)
    rows = {run_of(app, at=NOW).run_id for _ in range(5)}
    for options in ({}, {"status": "succeeded"}):
        found = walked(app, **options)
        assert len(found) == 5
        assert set(found) == rows


def test_runs_are_counted_by_status(alice: Person) -> None:
    app = graph_app(alice)
    several(app, 2)
    several(app, 3, status="partial-succeeded", triggered_from="debugging")
    run_of(app, at=NOW - timedelta(days=9), status="failed")
    whole = runs.counts(app)
    assert whole == {
        "total": 6, "running": 0, "succeeded": 2, "failed": 1, "stopped": 0, "partial-succeeded": 3, "paused": 0,
    }  # fmt: skip
    assert runs.counts(app, triggered_from=["debugging"])["total"] == 3
    assert runs.counts(app, within=timedelta(days=1))["failed"] == 0


def test_a_trace_stands_in_the_order_of_the_run(alice: Person) -> None:
    row = run_of(graph_app(alice), steps=["start", "llm", "end"])
    assert [step.node_id for step in runs.node_executions(row)] == ["start", "llm", "end"]


def test_the_graph_of_a_run_is_the_one_that_ran(alice: Person) -> None:
    app = published(alice)
    version = runnable.published(app)
    draft: dict[str, Any] = {"nodes": [], "edges": []}
    debugged, served = run_of(app, graph=draft), run_of(app, workflow_id=version.workflow_id)
    drafts.save(app, by=None, given_hash=None, graph={"nodes": [{"id": "other"}]})
    assert runs.graph_of(runs.get(app, debugged.run_id)) == draft
    assert runs.graph_of(runs.get(app, served.run_id)) == GRAPH
    assert runs.graph_of(run_of(app)) == {}


def test_the_last_run_of_a_node_is_the_newest_of_its_workflow(alice: Person) -> None:
    app = drafted(alice)
    draft = drafts.get(app)
    run_of(app, workflow_id=draft.pk, at=NOW - timedelta(hours=1))
    run_of(app)
    alone = NodeExecution.objects.create(
        tenant=alice.tenant, app=app, workflow_id=draft.pk, node_id="end", node_type="end", triggered_from="single-step"
    )
    assert runs.last_execution(app, workflow_id=draft.pk, node_id="end").pk == alone.pk
    assert runs.last_execution(app, workflow_id=draft.pk, node_id="start").node_id == "start"
    with pytest.raises(NotFound):
        runs.last_execution(app, workflow_id=draft.pk, node_id="nowhere")


def test_who_asked_and_which_message_was_answered_cost_one_query_each(cast: Cast) -> None:
    app = graph_app(cast.alice, "advanced-chat")
    rows = several(app, 3, account_id=cast.bob.account.pk, tier="console")
    talk = Conversation.objects.create(tenant=app.tenant, app=app, mode=app.mode, tier="console")
    message = Message.objects.create(tenant=app.tenant, app=app, conversation=talk, run=rows[1].run, tier="console")
    with counted() as statements:
        listed = runs.window(app, limit=9).rows
        assert [row.run.end_user for row in listed] == [None] * 3
        assert runs.accounts_of(listed)[cast.bob.account.pk].email == "bob@acme.example"
        assert runs.messages_of(listed) == {rows[1].run_id: (message.pk, talk.pk)}
    assert len(statements) == 3


def test_a_list_of_many_runs_costs_what_a_list_of_few_costs(alice: Person) -> None:
    app = graph_app(alice)
    user = EndUser.objects.create(tenant=app.tenant, app=app, type="service-api", session_id="u1")
    rows = several(app, 8, end_user=user, graph=GRAPH, inputs={"a": 1})
    with counted() as statements:
        names = [row.run.end_user.session_id for row in runs.window(app, limit=20, last_id=rows[0].run_id).rows]
        assert (names, len(statements)) == (["u1"] * 7, 2)
    with counted() as statements:
        runs.counts(app)
        runs.node_executions(rows[0])
    assert len(statements) == 2


def test_runs_of_other_tenants_and_apps_are_not_found(cast: Cast) -> None:
    mine, other, theirs = graph_app(cast.alice), graph_app(cast.alice), graph_app(cast.eve)
    row = run_of(mine)
    RunEventRow.objects.create(run=row.run, event_id=1, event=b"x")
    for app in (other, theirs):
        for unknown in (row.run_id, str(row.run_id), uuid4(), "x"):
            with pytest.raises(NotFound):
                runs.get(app, unknown)
        with pytest.raises(NotFound):
            runs.window(app, last_id=row.run_id)
        with pytest.raises(NotFound):
            runs.last_execution(app, workflow_id=row.workflow_id, node_id="start")
    assert runs.visible(cast.norma.principal, row.run_id).app == mine
    with pytest.raises(NotFound):
        runs.visible(cast.eve.principal, row.run_id)
    for model in (WorkflowRun, NodeExecution, RunEventRow):
        assert not model.objects.visible_to(cast.eve.principal).exists()
        assert model.objects.visible_to(cast.alice.principal).exists()


def test_statistics_add_up_published_runs_day_by_day(cast: Cast) -> None:
    app = graph_app(cast.alice)
    user = EndUser.objects.create(tenant=app.tenant, app=app, type="service-api", session_id="u1")
    day = NOW.replace(hour=12)
    for _ in range(3):
        run_of(app, at=day, end_user=user, total_tokens=5)
    run_of(app, at=day, account_id=cast.bob.account.pk, total_tokens=1, triggered_from="schedule")
    run_of(app, at=day, triggered_from="debugging", total_tokens=100)
    run_of(app, at=day - timedelta(days=1), total_tokens=2)
    today, yesterday = day.date().isoformat(), (day - timedelta(days=1)).date().isoformat()
    span = Span(start=day - timedelta(days=3))
    assert statistics.daily_runs(app, span) == [{"date": yesterday, "runs": 1}, {"date": today, "runs": 4}]
    assert [row["terminal_count"] for row in statistics.daily_terminals(app, span)] == [0, 2]
    assert [row["token_count"] for row in statistics.token_costs(app, span)] == [2, 16]
    assert [row["interactions"] for row in statistics.average_interactions(app, span)] == [1.0, 2.0]
    assert statistics.daily_runs(app, Span(end=day - timedelta(hours=1))) == [{"date": yesterday, "runs": 1}]
    assert statistics.daily_runs(graph_app(cast.eve), span) == []


def test_a_removed_run_takes_its_trace_with_it(alice: Person) -> None:
    row = run_of(graph_app(alice))
    RunEventRow.objects.create(run=row.run, event_id=ids.new_id().int % 1000, event=b"x")
    Run.objects.get(pk=row.run_id).delete()
    assert not (WorkflowRun.objects.exists() or NodeExecution.objects.exists() or RunEventRow.objects.exists())


def test_a_removed_app_takes_everything_with_it(alice: Person) -> None:
    app, kept = published(alice), published(alice)
    run_of(app)
    NodeExecution.objects.create(tenant=alice.tenant, app=app, workflow_id=app.pk, node_id="end", node_type="end")
    triggers.sync(app, Workflow(graph={"nodes": [{"id": "hook", "data": {"type": "trigger-webhook"}}]}))
    app_removal.begin(app, by=alice.account.pk)
    app_removal.carry_out(app.pk, lambda removed: None)
    assert not (WorkflowRun.objects.exists() or NodeExecution.objects.exists() or Trigger.objects.exists())
    assert set(Workflow.objects.values_list("app_id", flat=True)) == {kept.pk}
