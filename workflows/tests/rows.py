"""Apps that are graphs, and rows of their runs, for the tests of rows and services."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.models import App, Run
from apps.services import apps
from difyproj.kernel import clock, ids
from difyproj.testing.cast import Person
from workflows.models import NodeExecution, WorkflowRun
from workflows.services import drafts, versions

SECRET = "env-5ecret-0123456789abcdef"
GRAPH: dict[str, Any] = {
    "nodes": [
        {"id": "start", "data": {"type": "start", "title": "Start", "variables": []}},
        {"id": "end", "data": {"type": "end", "title": "End", "outputs": []}},
    ],
    "edges": [{"source": "start", "target": "end", "sourceHandle": "source"}],
}
ENVIRONMENT: list[dict[str, Any]] = [
    {"id": str(ids.new_id()), "name": "KEY", "value_type": "secret", "value": SECRET},
    {"id": str(ids.new_id()), "name": "LIMIT", "value_type": "number", "value": 3},
]


def graph_app(person: Person, mode: str = "workflow") -> App:
    return apps.create(tenant=person.tenant, name=f"A {mode}", mode=mode, config={})


def drafted(person: Person, mode: str = "workflow", **parts: Any) -> App:
    """An app with a draft."""
    app = graph_app(person, mode)
    drafts.save(app, by=person.account.pk, given_hash=None, **{"graph": GRAPH, "features": {}, **parts})
    return app


def published(person: Person, mode: str = "workflow", **parts: Any) -> App:
    """An app with a draft and a version of it."""
    app = drafted(person, mode, **parts)
    versions.publish(app, by=person.account.pk)
    return app


def with_nodes(*nodes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """The small graph and more nodes, by id and data."""
    more = [{"id": name, "data": data} for name, data in nodes]
    return {**GRAPH, "nodes": [*GRAPH["nodes"], *more]}


def run_of(app: App, *, steps: Sequence[str] = ("start", "end"), at: datetime | None = None, **fields: Any) -> WorkflowRun:
    """A run that ended, with an execution for each of ``steps``. Fields of the two rows may be given."""
    moment = at or clock.now()
    own = {name: fields.pop(name) for name in tuple(fields) if name in OF_RUN}
    owned: dict[str, Any] = {"tenant": app.tenant, "app": app}
    run = Run.objects.create(
        **{**owned, "mode": app.mode, "tier": "service-api", "status": "succeeded", "created_at": moment, **own}
    )
    if run.status not in ("running", "paused"):
        Run.objects.filter(pk=run.pk).update(finished_at=moment)
    given = {"workflow_id": ids.new_id(), "version": "1", "created_at": moment, "total_steps": len(steps), **fields}
    row = WorkflowRun.objects.create(run=run, **owned, **given)
    NodeExecution.objects.bulk_create(
        NodeExecution(
            **owned, run=run, workflow_id=row.workflow_id, node_id=name, node_type=name, title=name, index=index,
            status="succeeded", created_at=moment + timedelta(milliseconds=index),
        )
        for index, name in enumerate(steps, 1)
    )  # fmt: skip
    return row


OF_RUN = frozenset({"mode", "tier", "status", "end_user", "account_id", "total_tokens", "elapsed_time", "error"})
