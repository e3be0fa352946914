"""What came out of a run, node by node, as its graph draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Max

from apps.models import App
from difyproj.kernel.errors import NotFound
from workflows.engine.kinds import is_array, kind_of
from workflows.models import NodeExecution, NodeStatus, TriggeredFrom, WorkflowRun

from . import runs

IDLE, RUNNING, READY, FAILED = "idle", "running", "ready", "failed"
STATUSES: Final[Mapping[str, str]] = {
    NodeStatus.RUNNING: RUNNING,
    NodeStatus.PAUSED: RUNNING,
    NodeStatus.SUCCEEDED: READY,
    NodeStatus.EXCEPTION: READY,
}
LONGEST_PREVIEW: Final = 500


class NodeNotInRun(NotFound):
    code = "node_not_in_workflow_run"
    default_message = "The run's graph has no such node."


class OutputNotFound(NotFound):
    code = "node_output_not_declared"
    default_message = "The node has no such output."


@dataclass(frozen=True, slots=True)
class NodeOutputs:
    """A node of the run's graph, with its newest execution where there is one."""

    node_id: str
    kind: str
    title: str
    row: NodeExecution | None

    @property
    def status(self) -> str:
        return IDLE if self.row is None else STATUSES.get(self.row.status, FAILED)

    @property
    def values(self) -> Mapping[str, Any]:
        outputs = self.row.outputs if self.row is not None else None
        return outputs if isinstance(outputs, Mapping) else {}


def run_of(app: App, run_id: str, *, is_draft: bool) -> WorkflowRun:
    """A debug run, or one that was published. Raises RunNotFound."""
    row = runs.get(app, run_id)
    if (row.triggered_from == TriggeredFrom.DEBUGGING) is not is_draft:
        raise runs.RunNotFound
    return row


def of_run(row: WorkflowRun) -> list[NodeOutputs]:
    """Every node, in the order of the graph; of one that ran in several rounds its last."""
    newest = {one.node_id: one for one in runs.node_executions(row)}
    return [_node(raw, newest.get(str(raw["id"]))) for raw in _drawn(row)]


def mark_of(row: WorkflowRun) -> tuple[Any, ...]:
    """Another one after each node of the run that began or ended."""
    rows = NodeExecution.objects.filter(run_id=row.run_id).order_by()
    return tuple(rows.aggregate(Count("pk"), Max("finished_at"), Count("finished_at")).values())


def of_node(row: WorkflowRun, node_id: str) -> NodeOutputs:
    """Raises NodeNotInRun."""
    raw = next((one for one in _drawn(row) if one["id"] == node_id), None)
    if raw is None:
        raise NodeNotInRun
    rows = NodeExecution.objects.filter(run_id=row.run_id, node_id=node_id)
    return _node(raw, rows.order_by("-index", "-started_event_id").first())


def value_of(found: NodeOutputs, name: str) -> Any:
    """The whole of an output. Raises OutputNotFound."""
    if name not in found.values:
        raise OutputNotFound
    return found.values[name]


def type_of(value: Any) -> str | None:
    """The name of its type, as declared outputs have it; None where there is no such type."""
    kind = kind_of(value)
    kind = "array" if is_array(kind) else kind
    return kind if kind in ("string", "number", "boolean", "object", "array", "file") else None


def preview(value: Any) -> Any:
    """A long text's beginning; anything else as it is."""
    if isinstance(value, str) and len(value) > LONGEST_PREVIEW:
        return f"{value[:LONGEST_PREVIEW]}…"
    return value


def _drawn(row: WorkflowRun) -> Sequence[Mapping[str, Any]]:
    nodes = runs.graph_of(row).get("nodes") or ()
    return [one for one in nodes if isinstance(one, Mapping) and isinstance(one.get("id"), str)]


def _node(raw: Mapping[str, Any], row: NodeExecution | None) -> NodeOutputs:
    data = raw["data"] if isinstance(raw.get("data"), Mapping) else {}
    kind = str(data.get("type") or (row.node_type if row else "") or "unknown")
    return NodeOutputs(str(raw["id"]), kind, str(data.get("title") or (row.title if row else "") or raw["id"]), row)
