"""Before a run begins: what is asked is checked against the app, and everything the run needs is read. No writes here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from accounts.services import model_access
from apps import config as app_config
from apps.config import AppConfig
from apps.models import App, Conversation, Message
from apps.modes import mode_of
from apps.modes.mode import Mode, Turn
from apps.modes.run import run
from apps.services import apps, conversations
from difyproj.kernel import ids
from difyproj.kernel.errors import AppUnavailable, ConversationCompleted, InvalidParam
from difyproj.kernel.principal import ActorKind, Principal
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential
from workflows.engine.events import Events
from workflows.engine.node import HistoryTurn
from workflows.engine.ports import Ports
from workflows.engine.state import RunState

from . import given_files
from .given_files import GivenFile
from .graph_facts import GraphFacts
from .knowledge import SOURCES, Knowledge
from .parameters import over
from .ports import RequestFiles, TenantModels
from .request import GenerateRequest
from .written import Written

HISTORY_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Plan:
    """One run, ready to begin. ``conversation`` is None when it starts a new one, ``graph`` for modes without an own graph."""

    principal: Principal
    app: App
    config: AppConfig
    request: GenerateRequest
    inputs: Mapping[str, Any]
    files: Sequence[GivenFile]
    conversation: Conversation | None
    models: TenantModels
    state: RunState
    events: Events
    graph: GraphFacts | None = None
    knowledge: Knowledge | None = None
    written: Written | None = None

    @property
    def end_user_id(self) -> Any:
        return self.principal.actor_id if self.principal.actor_kind is ActorKind.END_USER else None

    @property
    def account_id(self) -> Any:
        return self.principal.actor_id if self.principal.actor_kind is ActorKind.ACCOUNT else None


def make(principal: Principal, app: App, request: GenerateRequest) -> Plan:
    """Check the request and read what its run needs. Raises the contract's errors, before anything is written."""
    mode = mode_of(app.mode)
    config = _configuration(app, request)
    demand_query(mode, request)
    inputs = app_config.check_inputs(config, request.inputs)
    conversation = conversation_of(principal, mode, request)
    given = given_files.checked(principal, config, request.files)
    history = history_of(conversation, request)
    credentials = model_access.credentials_for(app.tenant_id, config.model.provider, model=config.model.name)
    if request.parameters:
        config = _with_parameters(config, request.parameters, credentials)
    written = Written.of(principal, app) if mode.has_conversations else None
    turn = Turn(
        query=request.query.replace("\0", ""),
        inputs=inputs,
        files=[file.id for file in given],
        history=history,
        user=str(principal.actor_id),
        app_id=str(app.pk),
        conversation_id=str(conversation.pk) if conversation else "",
        instructions=request.instructions,
        history_is_given=request.history is not None,
        written=written.find if written is not None else None,
    )
    models = TenantModels(app.tenant_id, {config.model.provider: credentials})
    knowledge = Knowledge(principal, retriever_from=SOURCES[principal.tier])
    ports, state = Ports(models, RequestFiles(given_files.contents(given)), knowledge=knowledge), RunState()
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
        knowledge=knowledge,
        written=written,
    )


def demand_query(mode: Mode, request: GenerateRequest) -> None:
    if mode.has_conversations and not request.query.strip():
        raise InvalidParam("Query cannot be empty.", params="query")


def _configuration(app: App, request: GenerateRequest) -> AppConfig:
    config = apps.configuration(app) if request.config_override is None else app_config.parse(request.config_override)
    if not config.model.provider or not config.model.name:
        raise AppUnavailable("The app has no model. Choose one in the app's configuration.")
    return config


def _with_parameters(config: AppConfig, wanted: Mapping[str, Any], credentials: Sequence[Credential]) -> AppConfig:
    model = config.model
    told = credentials[0].values if credentials else None
    facts = catalogue.facts(model.provider, model.name, credential=told)
    chosen = model.model_copy(update={"completion_params": over(model.completion_params, wanted, facts)})
    return config.model_copy(update={"model": chosen})


def conversation_of(principal: Principal, mode: Mode, request: GenerateRequest) -> Conversation | None:
    """The conversation that the question goes on, None for a new one."""
    if not mode.has_conversations or not request.conversation_id:
        return None
    if ids.parse(request.conversation_id) is None:
        raise InvalidParam("conversation_id must be a valid UUID.", params="conversation_id")
    found = conversations.of_asker(principal, request.conversation_id)
    if found.status == "completed":
        raise ConversationCompleted
    return found


def history_of(conversation: Conversation | None, request: GenerateRequest) -> list[HistoryTurn]:
    """The turns before the question: the caller's own, else the conversation's."""
    if request.history is not None:
        return list(request.history)
    return earlier(conversation, request.parent_message_id) if conversation else []


def earlier(conversation: Conversation, parent_message_id: str = "", *, before: Message | None = None) -> list[HistoryTurn]:
    """Earlier turns, oldest first: all of them, those ``before`` a message, or the branch that ends at
    ``parent_message_id``."""
    rows = Message.objects.filter(conversation=conversation).order_by("-created_at", "-id")
    if before is not None:
        rows = rows.filter(created_at__lt=before.created_at)
    parent = ids.parse(parent_message_id)
    if parent is None or not parent.int:
        turns = list(rows.values_list("query", "answer")[:HISTORY_LIMIT])
    else:
        turns = _branch(rows.values_list("id", "parent_message_id", "query", "answer")[:HISTORY_LIMIT], parent)
    return [HistoryTurn(query, answer) for query, answer in reversed(turns) if answer]


def _branch(rows: Iterable[tuple[UUID, UUID | None, str, str]], end: UUID) -> list[tuple[str, str]]:
    """The turns from ``end`` back to the first one."""
    by_id = {row[0]: row for row in rows}
    turns: list[tuple[str, str]] = []
    step: UUID | None = end
    while step is not None and (row := by_id.pop(step, None)) is not None:
        _, step, query, answer = row
        turns.append((query, answer))
    return turns
