"""What the rows tell of a graph's run that is to go on: how far it came, and the plan for the rest of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.models import Message, Run
from apps.modes import mode_of
from apps.modes.flow import Progress
from apps.modes.run import run as play
from difyproj.kernel import clock
from difyproj.kernel.errors import AppUnavailable
from difyproj.kernel.principal import ActorKind, Principal, Tier
from workflows.engine import events
from workflows.engine.events import HumanInputRequired, RunEvent, RunPaused, RunStarted, TextWhole
from workflows.engine.state import RunState
from workflows.engine.walk import INITIAL, RESUMPTION
from workflows.models import FormStatus, NodeExecution, RunEventRow, Workflow, WorkflowRun
from workflows.services import forms

from . import asking, flows, given_files, graph_plan, graph_ports, graph_rows, wishes
from .graph_facts import GraphFacts
from .plan import Plan, earlier
from .ports import TenantModels
from .replies import asker_of_row
from .request import GenerateRequest

SYSTEM = "sys."


def plan_of(run: Run) -> Plan:
    """The plan of what is left of the run, whose state holds what it said so far.

    Raises AppUnavailable when its graph is gone or cannot be run any more.
    """
    flow_run = WorkflowRun.objects.get(pk=run.pk)
    row = Workflow.objects.filter(pk=flow_run.workflow_id).select_related("tenant").first()
    if row is None:
        raise AppUnavailable("The workflow that this run began with is gone.")
    wanted = wishes.of_run(run)
    version = flows.of_row(row, flow_run.graph, wanted.entry)
    message: Message | None = getattr(run, "message", None)
    inputs, system = _split(flow_run.inputs)
    principal, conversation = principal_of(run), message.conversation if message else None
    history = earlier(conversation, before=message) if conversation else []
    progress = progress_of(run)
    models, state = TenantModels(run.tenant_id), _state(run, has_begun=progress is not None)
    known = graph_plan.variables_of(conversation)
    turn = graph_plan.turn_of(version, inputs, system, known, history, progress=progress)
    ports, knowledge = graph_ports.of_run(principal, models, given_files.recalled(principal, flow_run.inputs))
    knowledge.remember(progress.finished if progress is not None else ())
    facts = GraphFacts(
        workflow_id=flow_run.workflow_id,
        version=flow_run.version,
        inputs=flow_run.inputs,
        triggered_from=flow_run.triggered_from,
        created_by=asker_of_row(run),
        conversation_id=conversation.pk if conversation else None,
        **graph_plan.traits(version),
    )
    request = GenerateRequest(query=turn.query, inputs=inputs, auto_generate_name=not wanted.unnamed)
    return Plan(
        principal=principal,
        app=run.app,
        config=version.flow.config,
        request=request,
        inputs=inputs,
        files=(),
        conversation=None if message is None or _is_first(message) else conversation,
        models=models,
        state=state,
        events=play(mode_of(run.mode), version.flow.config, turn, ports, state=state, is_followed=not wanted.in_background),
        graph=facts,
        knowledge=knowledge,
    )


def _is_first(message: Message) -> bool:
    """Whether the run began its conversation."""
    talk = Message.objects.filter(conversation_id=message.conversation_id)
    return not talk.filter(created_at__lt=message.created_at).exists()


def progress_of(run: Run) -> Progress | None:
    """What of the run is done, begun, answered and announced; None when nothing is."""
    nodes = list(NodeExecution.objects.filter(run_id=run.pk).order_by())
    done = sorted((node for node in nodes if node.finished_event_id), key=lambda node: node.finished_event_id or 0)
    told = [events.decode(bytes(row.event)) for row in RunEventRow.objects.filter(run_id=run.pk).order_by("event_id")]
    if not nodes and all(isinstance(event, TextWhole) for event in told):
        return None
    return Progress(
        reason=_reason(told),
        finished=[graph_rows.finished_event(node) for node in done],
        begun={(node.node_id, graph_rows.place_of(node)): str(node.pk) for node in nodes if not node.finished_event_id},
        answers=forms.answers_of(run.pk),
        waiting=_waiting(run, told),
        announced=told,
    )


def _reason(told: Iterable[RunEvent]) -> str:
    """How the run has to be announced: at all, again after its pause, or not, because that was done."""
    reason = INITIAL
    for event in told:
        if isinstance(event, RunStarted):
            reason = ""
        elif isinstance(event, RunPaused):
            reason = RESUMPTION
    return reason


def _waiting(run: Run, told: Sequence[RunEvent]) -> list[HumanInputRequired]:
    rows = [row for row in forms.of_runs([run.pk]) if row.status == FormStatus.WAITING]
    left = {str(row.pk) for row in rows}
    asked = [event for event in told if isinstance(event, HumanInputRequired) and event.form_id in left]
    return [event for event in asking.with_tokens(asked, rows) if isinstance(event, HumanInputRequired)]


def principal_of(run: Run) -> Principal:
    """Who asked for the run."""
    kind = ActorKind.ACCOUNT if run.account_id else ActorKind.END_USER
    actor = run.account_id or run.end_user_id or run.pk
    return Principal(run.tenant_id, kind, actor, Tier(run.tier), app_id=run.app_id)


def _state(run: Run, *, has_begun: bool) -> RunState:
    """Only the time at work counts, not that of the pauses and of waiting for a process."""
    if not has_begun:
        return RunState(began_at=run.created_at.timestamp())
    worked = run.elapsed_time or (clock.now() - run.created_at).total_seconds()
    return RunState(started=clock.monotonic() - worked, began_at=run.created_at.timestamp())


def _split(kept: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The form's values, and ``sys.*``."""
    inputs = {name: value for name, value in kept.items() if not name.startswith(SYSTEM)}
    return inputs, {name.removeprefix(SYSTEM): value for name, value in kept.items() if name.startswith(SYSTEM)}
