"""Before a graph's run begins: the version that runs, its inputs, its variables and its ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.models import Account
from apps import config as app_config
from apps.config import AppConfig
from apps.models import App, Conversation, EndUser
from apps.modes import flow, mode_of
from apps.modes.flow import FlowTurn, Progress
from apps.modes.mode import Turn
from apps.modes.run import run
from apps.services import end_users
from difyproj.kernel import clock, ids, jsonio, structs
from difyproj.kernel.errors import Forbidden
from difyproj.kernel.principal import ActorKind, Principal
from workflows.engine.graph import BoundGraph
from workflows.engine.limits import Limits
from workflows.engine.node import NEVER_AGAIN, HistoryTurn
from workflows.engine.state import RunState
from workflows.models import ConversationVariable, TriggeredFrom
from workflows.services import runnable, triggers

from . import flows, given_files, graph_ports
from .flows import Version
from .graph_facts import GraphFacts
from .plan import Plan, conversation_of, demand_query, history_of
from .ports import RequestFile, TenantModels
from .request import DRAFT, GenerateRequest
from .written import Written


class TriggersOnly(Forbidden):
    code = "trigger_workflow_service_mode_unavailable"
    default_message = "This workflow is begun by its triggers, not by callers."


def make(principal: Principal, app: App, request: GenerateRequest, run_id: UUID) -> Plan:
    """Check the request and read what its run needs. Raises the contract's errors, before anything is written."""
    mode = mode_of(app.mode)
    demand_query(mode, request)
    if not request.entry and request.target != DRAFT:
        demand_start(app, request.target)
    version = flows.load(app, request.target, request.entry)
    config = version.flow.config
    inputs, brought = _inputs(principal, config, request)
    conversation = conversation_of(principal, mode, request)
    given = given_files.checked(principal, config, request.files)
    talk_id = (conversation.pk if conversation else ids.new_id()) if mode.has_conversations else None
    history = history_of(conversation, request)
    asker = asker_of(principal, app)
    system = {
        "files": [given_files.mapping(file) for file in given],
        "user_id": user_id(principal, asker),
        "app_id": str(app.pk),
        "workflow_id": str(version.runnable.workflow_id),
        "workflow_run_id": str(run_id),
        "timestamp": clock.epoch(clock.now()),
    }
    if talk_id is not None:
        query = request.query.replace("\0", "")
        system |= {"query": query, "conversation_id": str(talk_id), "dialogue_count": len(history)}
    known = variables_of(conversation)
    models, state = TenantModels(app.tenant_id), RunState()
    ports, knowledge = graph_ports.of_run(principal, models, {**given_files.contents(given), **brought})
    written = Written.of(principal, app) if mode.has_conversations else None
    turn = turn_of(version, inputs, system, known, history)
    if written is not None:
        turn = replace(turn, written=written.find)
    return Plan(
        principal=principal,
        app=app,
        config=config,
        request=request,
        inputs=inputs,
        files=given,
        conversation=conversation,
        models=models,
        state=state,
        events=run(mode, config, turn, ports, state=state, stage_events=request.stage_events, is_followed=request.streaming),
        graph=GraphFacts(
            workflow_id=version.runnable.workflow_id,
            version=version.runnable.version,
            inputs={**inputs, **{f"{flow.SYSTEM}.{name}": value for name, value in system.items()}},
            triggered_from=request.triggered_from or _trigger(version),
            created_by=asker,
            graph=version.runnable.raw if version.runnable.is_draft else None,
            conversation_id=talk_id,
            variables=[one for one in version.flow.variables if one["name"] not in known] if talk_id else (),
            **traits(version),
        ),
        knowledge=knowledge,
        written=written,
    )


def demand_start(app: App, target: str) -> None:
    """Raises TriggersOnly for a graph that none but its triggers can begin."""
    graph = runnable.version(app, target).graph
    if graph.roots and all(graph.graph.nodes[name].type in triggers.KINDS for name in graph.roots):
        raise TriggersOnly


def traits(version: Version) -> dict[str, Any]:
    """What the rows of a run are told of its graph itself."""
    graph = version.flow.graph
    return {"speaks": bool(graph.answers), "secrets": version.runnable.secrets, "once": once(graph)}


def _inputs(principal: Principal, config: AppConfig, request: GenerateRequest) -> tuple[dict[str, Any], dict[str, RequestFile]]:
    """The form's values and what the file port needs of the files among them; what a trigger brings has no form."""
    if request.entry:
        inputs = jsonio.storable(dict(request.inputs))
        return inputs, given_files.recalled(principal, inputs)
    made, brought = given_files.of_inputs(principal, config, app_config.check_inputs(config, request.inputs))
    return made, given_files.contents(brought)


def turn_of(
    version: Version,
    inputs: Mapping[str, Any],
    system: Mapping[str, Any],
    known: Mapping[str, Any],
    history: Sequence[HistoryTurn],
    *,
    progress: Progress | None = None,
) -> Turn:
    """``known`` are the conversation's variables by name; what it does not have yet is as the graph declares it."""
    declared = {one["name"]: one.get("value") for one in version.flow.variables}
    environment, variables = version.runnable.environment, {**declared, **known}
    return Turn(
        query=str(system.get("query", "")),
        inputs=inputs,
        history=history,
        user=str(system["user_id"]),
        app_id=str(system["app_id"]),
        conversation_id=str(system.get("conversation_id", "")),
        flow=FlowTurn(version.flow, system, environment, variables, limits(), progress, version.runnable.private),
    )


def once(graph: BoundGraph) -> frozenset[str]:
    """The nodes, at any depth, that may not run a second time."""
    own = frozenset(name for name, kind in graph.classes.items() if kind.repeats == NEVER_AGAIN)
    return own.union(*(once(inner) for inner in graph.inside.values()))


def limits() -> Limits:
    """What one run may use, as the operator allows."""
    return structs.convert(settings.WORKFLOW_LIMITS, Limits)


def variables_of(conversation: Conversation | None) -> dict[str, Any]:
    if conversation is None:
        return {}
    return dict(ConversationVariable.objects.filter(conversation=conversation).values_list("name", "value"))


def asker_of(principal: Principal, app: App) -> dict[str, Any] | None:
    """Who asks, in the words of the wire; no query for an end user that is known."""
    if principal.actor_kind is ActorKind.END_USER:
        user = end_users.of_app(app, principal.actor_id)
        return None if user is None else end_user_record(user)
    account = Account.objects.filter(pk=principal.actor_id).only("id", "name", "email").first()
    return None if account is None else account_record(account)


def end_user_record(user: EndUser) -> dict[str, Any]:
    return {"id": str(user.pk), "user": user.session_id}


def account_record(account: Account) -> dict[str, Any]:
    return {"id": str(account.pk), "name": account.name, "email": account.email}


def user_id(principal: Principal, asker: Mapping[str, Any] | None) -> str:
    """``sys.user_id``: the integrator's own name of the end user, or the account's id."""
    return str((asker or {}).get("user") or principal.actor_id)


def _trigger(version: Version) -> str:
    return TriggeredFrom.DEBUGGING if version.runnable.is_draft else TriggeredFrom.APP_RUN
