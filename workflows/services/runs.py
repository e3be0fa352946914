"""The history of an app's runs: lists, counts, one run and its trace. Every read is a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db.models import Count, Q

from accounts.models import Account
from apps.models import App, Message, RunStatus
from apps.models.run import GRAPH_MODES
from difyproj.infra.paging import Totals, Window, window_of
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import NotFound
from difyproj.kernel.principal import Principal
from workflows.models import NodeExecution, Workflow, WorkflowRun

# What lists do not show, and what can be large.
LARGE: Final = ("graph", "inputs", "outputs", "run__config_override")
# What the door keeps in an execution's metadata to make its events again.
INNER: Final = frozenset({"usage", "place"})
_counts: Totals[dict[str, int]] = Totals("workflow_run_counts", size=lambda counted: sum(counted.values()))


class RunNotFound(NotFound):
    default_message = "Workflow run not found."


class NodeExecutionNotFound(NotFound):
    default_message = "The node was not run yet."


def window(
    app: App, *, last_id: UUID | str | None = None, limit: int = 20, status: str = "", triggered_from: Sequence[str] = ()
) -> Window:
    """The ``limit`` runs after ``last_id``, newest first, with their ``run`` and its end user; without their documents.

    Raises RunNotFound for an unknown cursor.
    """
    rows, column = _history(app, triggered_from), "created_at"
    if status:
        # By the index of runs: few of very many may have this status.
        rows, column = rows.filter(run__app=app, run__mode__in=GRAPH_MODES, run__status=status), "run__created_at"
    if last_id:
        last = get(app, last_id)
        moment = last.created_at if column == "created_at" else last.run.created_at
        rows = rows.filter(Q(**{f"{column}__lt": moment}) | Q(run_id__lt=last.run_id), **{f"{column}__lte": moment})
    found = rows.select_related("run__end_user").defer(*LARGE).order_by(f"-{column}", "-run_id")
    return window_of(found, limit=limit)


def counts(app: App, *, triggered_from: Sequence[str] = (), within: timedelta | None = None) -> dict[str, int]:
    """How many runs there are by status, and ``total``; every status has its number. Of many as of the last seconds."""
    key = (app.pk, tuple(triggered_from), within)
    counted = _counts.get(key, partial(_count, app, triggered_from, within))
    return {"total": sum(counted.values()), **{status.value: counted.get(status.value, 0) for status in RunStatus}}


def _count(app: App, triggered_from: Sequence[str], within: timedelta | None) -> dict[str, int]:
    rows = _history(app, triggered_from)
    if within is not None:
        rows = rows.filter(created_at__gte=clock.now() - within)
    return dict(rows.order_by().values_list("run__status").annotate(Count("run_id")))


def get(app: App, run_id: UUID | str) -> WorkflowRun:
    """One run of the app, with its ``run`` and its end user. Raises RunNotFound."""
    return _one(WorkflowRun.objects.for_tenant(app.tenant_id).filter(app=app), run_id)


def visible(principal: Principal, run_id: UUID | str) -> WorkflowRun:
    """One run that the principal may see, with its app too. Raises RunNotFound."""
    return _one(WorkflowRun.objects.visible_to(principal).select_related("app"), run_id)


def graph_of(row: WorkflowRun) -> dict[str, Any]:
    """The graph as it ran; empty when its version was deleted."""
    if row.graph is not None:
        return dict(row.graph)
    version = Workflow.objects.for_tenant(row.tenant_id).filter(app_id=row.app_id, pk=row.workflow_id)
    return version.values_list("graph", flat=True).first() or {}


def node_executions(row: WorkflowRun, *, limit: int | None = None) -> list[NodeExecution]:
    """The run's trace, in the order in which the nodes began."""
    rows = NodeExecution.objects.filter(run_id=row.run_id).order_by("index", "started_event_id", "created_at")
    return list(rows[:limit])


def last_execution(app: App, *, workflow_id: UUID, node_id: str) -> NodeExecution:
    """How the node of this workflow (the draft, mostly) was run last, in a run or alone. Raises NodeExecutionNotFound."""
    rows = NodeExecution.objects.filter(app=app, workflow_id=workflow_id, node_id=node_id)
    found = rows.order_by("-created_at").first()
    if found is None:
        raise NodeExecutionNotFound
    return found


def shown_metadata(row: NodeExecution) -> dict[str, Any]:
    """What an execution tells of itself beside its values: what it cost, where in a container it stood."""
    told = {name: value for name, value in row.metadata.items() if name not in INNER}
    if row.total_price is not None:
        told |= {"total_tokens": row.total_tokens, "total_price": float(row.total_price), "currency": row.currency}
    if row.container_id:
        told |= {f"{row.container_kind}_id": row.container_id, f"{row.container_kind}_index": row.round}
    return told


def messages_of(rows: Iterable[WorkflowRun]) -> dict[UUID, tuple[UUID, UUID]]:
    """(message, conversation) ids of chatflow runs, by the run's id."""
    found = Message.objects.filter(run_id__in=[row.run_id for row in rows]).order_by()
    return {
        run_id: (message_id, conversation_id)
        for run_id, message_id, conversation_id in found.values_list("run_id", "pk", "conversation_id")
        if run_id is not None
    }


def accounts_of(rows: Iterable[WorkflowRun]) -> dict[UUID, Account]:
    """The accounts that asked, by their ids; no query where none did."""
    wanted = {row.run.account_id for row in rows if row.run.account_id is not None}
    return {account.pk: account for account in Account.objects.filter(pk__in=wanted)} if wanted else {}


def _history(app: App, triggered_from: Sequence[str]) -> Any:
    rows = WorkflowRun.objects.for_tenant(app.tenant_id).filter(app=app)
    if len(triggered_from) == 1:
        return rows.filter(triggered_from=triggered_from[0])
    return rows.filter(triggered_from__in=triggered_from) if triggered_from else rows


def _one(rows: Any, run_id: UUID | str) -> WorkflowRun:
    key = ids.parse(run_id)
    found: WorkflowRun | None = rows.select_related("run__end_user").filter(pk=key).first() if key else None
    if found is None:
        raise RunNotFound
    return found
