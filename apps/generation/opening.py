"""The rows with which a run begins: its question is kept before any model is asked."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import models, transaction

from apps.models import Conversation, Message, MessageFile, Run
from difyproj.infra.inserts import insert, update
from difyproj.infra.models import IdempotencyKey
from difyproj.kernel import clock, ids
from workflows.models import CallbackDelivery, WorkflowRun
from workflows.services import conversation_variables

from . import queued
from .graph_facts import GraphFacts
from .live import RESERVED_BLOCK
from .plan import Plan
from .queued import Place
from .request import Once, Reply
from .wishes import kept, of_request


@transaction.atomic
def begin(plan: Plan, run_id: UUID, once: Once | None, owner: UUID | None, place: Place = Place.HERE) -> Reply:
    """Conversation, run, message and idempotency key in one short transaction; ``owner`` is the process that has the run,
    None when it waits for one in another ``place``.

    Raises IntegrityError when another request with the same key began its run first; then nothing is written.
    """
    moment = clock.now()
    run = _run(plan, run_id, owner, place)
    if once is not None:
        IdempotencyKey.objects.create(
            tenant_id=plan.app.tenant_id, scope=once.scope, key=once.key, request_hash=once.request_hash,
            run_id=run.pk, state="done", locked_until=moment,
        )  # fmt: skip
    if plan.graph is not None:
        queued.tell(run.pk, run.tenant_id, place)
        return _begin_graph(plan, plan.graph, run, moment)
    conversation = _conversation(plan, moment)
    message = _message(plan, run, conversation)
    if conversation is plan.conversation:
        update(Conversation, conversation.pk, {"updated_at": moment})
        insert(run, message)
    else:
        insert(conversation, run, message)
    if plan.files:
        MessageFile.objects.bulk_create(_message_files(plan, message))
    return reply_of(run, message)


def _begin_graph(plan: Plan, graph: GraphFacts, run: Run, moment: datetime) -> Reply:
    """The same for a graph: its run, and for chatflows the message and the variables that the conversation lacks."""
    flow = WorkflowRun(
        run=run, tenant_id=run.tenant_id, app_id=run.app_id, workflow_id=graph.workflow_id, version=graph.version,
        graph=graph.graph, inputs=graph.inputs, triggered_from=graph.triggered_from, created_at=run.created_at,
    )  # fmt: skip
    rows: list[models.Model] = [run, flow]
    message = None
    if graph.conversation_id is not None:
        conversation = _conversation(plan, moment)
        if conversation is plan.conversation:
            update(Conversation, conversation.pk, {"updated_at": moment})
        else:
            rows.insert(0, conversation)
        message = _message(plan, run, conversation)
        rows.append(message)
    if plan.request.callback_url:
        rows.append(CallbackDelivery(tenant_id=run.tenant_id, app_id=run.app_id, run=run, url=plan.request.callback_url))
    insert(*rows)
    if graph.variables and graph.conversation_id is not None:
        conversation_variables.begin(graph.conversation_id, graph.variables)
    if message is not None and plan.files:
        MessageFile.objects.bulk_create(_message_files(plan, message))
    return reply_of(run, message, graph)


def reply_of(run: Run, message: Message | None, graph: GraphFacts | None = None) -> Reply:
    """The fixed facts of the run's reply."""
    return Reply(
        run_id=run.pk,
        mode=run.mode,
        tier=run.tier,
        created_at=clock.epoch(run.created_at if message is None else message.created_at),
        message_id=None if message is None else message.pk,
        conversation_id=None if message is None else message.conversation_id,
        tenant_id=run.tenant_id,
        app_id=run.app_id,
        end_user_id=run.end_user_id,
        account_id=run.account_id,
        workflow_id=None if graph is None else graph.workflow_id,
        created_by=None if graph is None else graph.created_by,
    )


def _run(plan: Plan, run_id: UUID, owner: UUID | None, place: Place) -> Run:
    wishes = plan.request.config_override if plan.graph is None else kept(of_request(plan.request))
    return Run(
        id=run_id,
        tenant_id=plan.app.tenant_id,
        app_id=plan.app.pk,
        mode=plan.app.mode,
        tier=plan.principal.tier,
        end_user_id=plan.end_user_id,
        account_id=plan.account_id,
        config_override=wishes,
        process_id=owner,
        trace_id=plan.request.trace_id,
        reserved_event_id=RESERVED_BLOCK if place is Place.HERE else 0,
    )


def _conversation(plan: Plan, moment: datetime) -> Conversation:
    return plan.conversation or Conversation(
        id=plan.graph.conversation_id if plan.graph and plan.graph.conversation_id else ids.new_id(),
        tenant_id=plan.app.tenant_id,
        app_id=plan.app.pk,
        mode=plan.app.mode,
        inputs=plan.inputs,
        introduction=plan.config.opening_statement,
        tier=plan.principal.tier,
        end_user_id=plan.end_user_id,
        account_id=plan.account_id,
        created_at=moment,
        updated_at=moment,
    )


def _message(plan: Plan, run: Run, conversation: Conversation) -> Message:
    return Message(
        tenant_id=plan.app.tenant_id,
        app_id=plan.app.pk,
        conversation_id=conversation.pk,
        run_id=run.pk,
        parent_message_id=ids.parse(plan.request.parent_message_id),
        inputs=plan.inputs,
        query=plan.request.query,
        model_provider=plan.config.model.provider,
        model_name=plan.config.model.name,
        tier=plan.principal.tier,
        end_user_id=plan.end_user_id,
        account_id=plan.account_id,
    )


def _message_files(plan: Plan, message: Message) -> list[MessageFile]:
    return [
        MessageFile(
            message=message,
            type=file.given.type,
            transfer_method=file.given.transfer_method,
            url="" if file.row else file.given.url,
            upload_file=file.row,
        )
        for file in plan.files
    ]
