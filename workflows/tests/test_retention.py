"""Retention: old history goes in batches with everything below it; what is young, still runs or waits for people stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import Settings

from apps.models import App, Conversation, Message, Run
from difyproj.infra.jobs import JOBS
from difyproj.kernel import clock
from difyproj.testing.cast import Person
from workflows.models import NodeExecution, RunEventRow, WorkflowRun
from workflows.services import retention

from .rows import graph_app, run_of

OLD = clock.now() - timedelta(days=40)


@pytest.fixture
def app(alice: Person, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> App:
    settings.WORKFLOW_LOG_RETENTION_DAYS = 30
    monkeypatch.setattr(retention, "RUNS_AT_ONCE", 2)
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 3)
    return graph_app(alice)


def with_events(row: WorkflowRun) -> WorkflowRun:
    RunEventRow.objects.bulk_create(RunEventRow(run=row.run, event_id=number, event=b"x") for number in range(5))
    return row


def alone(app: App, **fields: object) -> NodeExecution:
    owned = {"tenant": app.tenant, "app": app, "workflow_id": app.pk, "node_id": "n", "node_type": "code"}
    return NodeExecution.objects.create(**owned, triggered_from="single-step", **fields)


def test_old_runs_go_with_their_traces_and_the_others_stay(app: App) -> None:
    for _ in range(5):
        with_events(run_of(app, at=OLD, steps=["a", "b", "c", "d"]))
    kept = {with_events(run_of(app)).run_id} | {
        with_events(run_of(app, at=OLD - timedelta(days=1), status=status)).run_id for status in ("running", "paused")
    }
    assert retention.forget_runs() >= 5 * (4 + 5 + 2)
    assert set(WorkflowRun.objects.values_list("pk", flat=True)) == kept
    assert set(Run.objects.values_list("pk", flat=True)) == kept
    assert set(NodeExecution.objects.values_list("run_id", flat=True)) == kept
    assert set(RunEventRow.objects.values_list("run_id", flat=True)) == kept
    assert retention.forget_runs() == 0


def test_the_answer_of_an_old_chatflow_run_stays(app: App) -> None:
    row = run_of(app, at=OLD)
    talk = Conversation.objects.create(tenant=app.tenant, app=app, mode="advanced-chat", tier="service-api")
    message = Message.objects.create(
        tenant=app.tenant, app=app, conversation=talk, run=row.run, tier="service-api", answer="Yes."
    )
    retention.forget_runs()
    message.refresh_from_db()
    assert (message.run_id, message.answer) == (None, "Yes.")


def test_boundary_events_go_before_the_runs_do(app: App, settings: Settings) -> None:
    settings.RUN_EVENT_RETENTION_DAYS = 7
    run_of(app)
    old = with_events(run_of(app, at=clock.now() - timedelta(days=8)))
    young = with_events(run_of(app))
    waiting = with_events(run_of(app, at=OLD, status="paused"))
    assert retention.forget_boundaries() == 5
    assert set(RunEventRow.objects.values_list("run_id", flat=True)) == {young.run_id, waiting.run_id}
    assert WorkflowRun.objects.filter(pk=old.pk).exists()


def test_old_single_steps_go_and_young_ones_stay(app: App) -> None:
    for _ in range(4):
        alone(app, created_at=OLD)
    young = alone(app)
    assert retention.forget_single_steps() == 4
    assert NodeExecution.objects.get() == young


def test_nothing_is_forgotten_unless_it_is_asked_for(app: App, settings: Settings) -> None:
    settings.WORKFLOW_LOG_RETENTION_DAYS = 0
    run_of(app, at=OLD)
    alone(app, created_at=OLD)
    assert (retention.forget_runs(), retention.forget_single_steps()) == (0, 0)
    assert NodeExecution.objects.count() == 3


def test_the_hourly_job_forgets_everything_that_is_due(app: App) -> None:
    run_of(app, at=OLD)
    alone(app, created_at=OLD)
    job = object.__new__(JOBS.get("workflows.retention"))
    assert job.run() == {"run_events": 0, "runs": 4, "single_steps": 1}
    assert not (WorkflowRun.objects.exists() or NodeExecution.objects.exists())
