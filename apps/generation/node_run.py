"""One node alone, with values in the place of what comes before it: how authors try a node of their draft."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from django.conf import settings

from apps.models import App
from apps.modes import flow
from difyproj.infra import db
from difyproj.infra.inserts import insert_many
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import DomainError, InvalidParam, NotFound
from difyproj.kernel.principal import ActorKind, Principal
from workflows.engine.events import NodeFinished, NodeStarted, RunEvent, RunPaused
from workflows.engine.graph import BoundGraph
from workflows.engine.node import FormAnswer
from workflows.engine.pool import INPUTS, VariablePool
from workflows.engine.ports import Ports
from workflows.engine.state import RunState
from workflows.engine.walk import run as walk
from workflows.models import ExecutedFrom, NodeExecution, NodeStatus
from workflows.nodes import NODES
from workflows.services import drafts, environment, form_values, inspection, runnable
from workflows.services.runnable import Runnable

from . import given_files, graph_plan, graph_ports, graph_rows
from .masks import without_secrets
from .ports import TenantModels
from .pump import ExecutionTimeout
from .request import FileInput

_WRAPPED: Final = re.compile(r"#(.+)#")


class NodeNotFound(NotFound):
    default_message = "The draft has no such node."


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One execution of one node, ready to begin."""

    principal: Principal
    app: App
    workflow: Runnable
    node_id: str
    graph: BoundGraph
    pool: VariablePool
    ports: Ports
    answers: Mapping[str, FormAnswer] = field(default_factory=dict)


def plan(
    principal: Principal,
    app: App,
    node_id: str,
    *,
    inputs: Mapping[str, Any],
    query: str = "",
    files: Sequence[FileInput] = (),
) -> NodePlan:
    """Read what the node needs; in a thread with database access.

    ``inputs`` are values by selector (``node.name`` or ``#node.name#``), by the names that the node itself gives its
    variables, and for the start by the names of its form; what they do not say is as the draft's variables hold it. Raises
    NodeNotFound, DraftWorkflowNotExist, and InvalidParam naming what is wrong with the node or a file.
    """
    row = drafts.get(app)
    workflow = runnable.made(row)
    level = _level(workflow.graph, node_id)
    if level is None:
        raise NodeNotFound
    given = given_files.found(principal, files, field="files")
    asker = graph_plan.asker_of(principal, app)
    held = inspection.held(app, besides=node_id)
    brought = held.pop(flow.SYSTEM, {})
    shown = [given_files.mapping(file) for file in given] or brought.get("files") or []
    system = {
        "query": query or brought.get("query") or "", "files": shown, "app_id": str(app.pk), "conversation_id": "",
        "user_id": graph_plan.user_id(principal, asker), "dialogue_count": 0, "workflow_id": str(workflow.workflow_id),
        "workflow_run_id": "", "timestamp": clock.epoch(clock.now()),
    }  # fmt: skip
    pool = VariablePool({**held, flow.SYSTEM: system, flow.ENVIRONMENT: environment.values(row)})
    for name in workflow.private:
        pool.declare(flow.ENVIRONMENT, name, flow.SECRET)
    _fill(pool, level, node_id, inputs)
    known = {f"{scope}.{name}": value for scope, values in held.items() for name, value in values.items()}
    contents = given_files.recalled(principal, {**known, "sys.files": shown}) | given_files.contents(given)
    ports, _ = graph_ports.of_run(principal, TenantModels(app.tenant_id), contents)
    graph = BoundGraph(level.graph.only(node_id), NODES, entry=node_id)
    return NodePlan(principal, app, workflow, node_id, graph, pool, ports)


def answered(plan: NodePlan, asked: NodeExecution, *, action: Any, inputs: Any) -> NodePlan:
    """The plan for a node that was run and asks people, with an answer. Raises InvalidParam for a node that asks nobody, and
    InvalidFormData."""
    form = (asked.outputs or {}).get("form") if asked.status == NodeStatus.PAUSED else None
    if form is None:
        raise InvalidParam(asked.error or "The node asks nobody.", params=plan.node_id)
    chosen, values = form_values.checked(form, action=action, inputs=inputs)
    answer = FormAnswer(action_id=chosen, values=values, rendered_content=form_values.rendered(form, values))
    return replace(plan, answers={plan.node_id: answer})


async def run(plan: NodePlan, *, watch: Callable[[RunEvent], object] = lambda event: None) -> NodeExecution:
    """Run the node and keep its execution, as the row that is given back. A node that fails is an execution like any other.

    ``watch`` is told what happens meanwhile, as it would be told to readers of a run.
    """
    state, ends = RunState(), dict[str, NodeFinished | NodeStarted]()
    error: DomainError | None = None
    limits = graph_plan.limits()
    events = walk(plan.graph, plan.pool, plan.ports, nodes=NODES, state=state, limits=limits, answers=plan.answers)
    try:
        async with asyncio.timeout(settings.APP_MAX_EXECUTION_TIME), aclosing(events):
            async for event in events:
                event = without_secrets(event, plan.workflow.secrets)
                watch(event)
                if isinstance(event, NodeStarted | NodeFinished) and event.node_id == plan.node_id:
                    ends[type(event).__name__] = event
                elif isinstance(event, RunPaused):
                    ends["NodeFinished"] = _waiting(ends["NodeStarted"], event)
    except TimeoutError:
        error = ExecutionTimeout()
    row = _row(plan, ends.get("NodeStarted"), ends.get("NodeFinished"), error)
    await db.run(insert_many, [row])
    return row


def _level(graph: BoundGraph, node_id: str) -> BoundGraph | None:
    """The graph, or the inside of a container, that holds the node."""
    if node_id in graph.classes:
        return graph
    return next((found for inner in graph.inside.values() if (found := _level(inner, node_id)) is not None), None)


def _fill(pool: VariablePool, level: BoundGraph, node_id: str, inputs: Mapping[str, Any]) -> None:
    own = _own_names(level.graph.nodes[node_id].data)
    for name, value in inputs.items():
        wrapped = _WRAPPED.fullmatch(name)
        selector = own.get(name) or (wrapped[1] if wrapped else name).split(".")
        if len(selector) < 2:
            pool.set(INPUTS, name, value)
            continue
        scope, first, *path = selector
        for step in reversed(path):
            value = {step: value}
        known = pool.get((scope, first))
        pool.set(scope, first, {**known, **value} if path and isinstance(known, Mapping) else value)


def _own_names(data: Any) -> dict[str, Sequence[str]]:
    """The selectors behind the names that the node gives its variables."""
    rows = data.get("variables") if isinstance(data, Mapping) else None
    found = [one for one in rows or () if isinstance(one, Mapping) and one.get("value_selector")]
    return {str(one.get("variable")): list(one["value_selector"]) for one in found}


def _waiting(begun: NodeStarted | NodeFinished, event: RunPaused) -> NodeFinished:
    """The end of a node that asks a person, who is not there: what it would ask."""
    return NodeFinished(
        execution_id=begun.execution_id, node_id=begun.node_id, node_type=begun.node_type, title=begun.title,
        index=begun.index, status=NodeStatus.PAUSED, created_at=begun.created_at, finished_at=clock.now().timestamp(),
        elapsed_time=event.elapsed_time, outputs={"form": event.reasons[0].form},
    )  # fmt: skip


def _row(plan: NodePlan, begun: Any, end: Any, error: DomainError | None) -> NodeExecution:
    spec = plan.graph.graph.nodes[plan.node_id]
    is_account = plan.principal.actor_kind is ActorKind.ACCOUNT
    row = NodeExecution(
        id=UUID(begun.execution_id) if begun is not None else ids.new_id(),
        tenant_id=plan.app.tenant_id,
        app_id=plan.app.pk,
        workflow_id=plan.workflow.workflow_id,
        triggered_from=ExecutedFrom.SINGLE_STEP,
        node_id=plan.node_id,
        node_type=spec.type,
        title=spec.title or spec.type,
        account_id=plan.principal.actor_id if is_account else None,
        end_user_id=None if is_account else plan.principal.actor_id,
    )
    if end is None:
        row.status, row.error = NodeStatus.FAILED, error.message if error else "The node did not end."
        row.finished_at = clock.now()
        return row
    for name, value in graph_rows.finished(0, end).items():
        setattr(row, name, value)
    row.finished_event_id = None
    return row
