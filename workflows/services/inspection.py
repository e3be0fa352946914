"""What the variables of a draft held when it was run last: those of its nodes, and the system's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import uuid5

from apps.models import App
from workflows.engine.kinds import kind_of
from workflows.models import NodeExecution, TriggeredFrom, Workflow, WorkflowRun

from . import drafts, runs
from .runs import NodeExecutionNotFound

NODE, SYSTEM = "node", "sys"

Variable = dict[str, Any]


def of_nodes(app: App) -> list[Variable]:
    """The outputs of every node in the draft's last run as a whole. Raises DraftWorkflowNotExist, as the others do."""
    run = _last_run(drafts.get(app))
    if run is None:
        return []
    last = {row.node_id: row for row in runs.node_executions(run)}
    return [one for row in last.values() for one in _outputs(row)]


def of_node(app: App, node_id: str) -> list[Variable]:
    """The outputs of one node when it was run last, in a run or alone."""
    try:
        return list(_outputs(runs.last_execution(app, workflow_id=drafts.get(app).pk, node_id=node_id)))
    except NodeExecutionNotFound:
        return []


def of_system(app: App) -> list[Variable]:
    """``sys.*`` of the draft's last run."""
    draft = drafts.get(app)
    run = _last_run(draft)
    given = run.inputs if run is not None else {}
    found = {name.removeprefix("sys."): value for name, value in given.items() if name.startswith("sys.")}
    return [_variable(draft, SYSTEM, SYSTEM, name, value) for name, value in found.items()]


def _last_run(draft: Workflow) -> WorkflowRun | None:
    rows = WorkflowRun.objects.for_tenant(draft.tenant_id).filter(app_id=draft.app_id, triggered_from=TriggeredFrom.DEBUGGING)
    return rows.filter(workflow_id=draft.pk).order_by("-created_at", "-run_id").first()


def _outputs(row: NodeExecution) -> Iterator[Variable]:
    outputs: Iterable[tuple[str, Any]] = row.outputs.items() if isinstance(row.outputs, Mapping) else ()
    for name, value in outputs:
        yield _variable(row, NODE, row.node_id, name, value)


def _variable(of: Workflow | NodeExecution, kind: str, scope: str, name: str, value: Any) -> Variable:
    """Its id is the same as long as it is of the same execution."""
    return {
        "id": str(uuid5(of.pk, f"{scope}.{name}")),
        "type": kind,
        "name": name,
        "description": "",
        "selector": [scope, name],
        "value_type": kind_of(value),
        "value": value,
    }
