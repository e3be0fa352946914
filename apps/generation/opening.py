"""The rows with which a run begins: its question is kept before any model is asked."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.models import Conversation, Message, MessageFile, Run
from difyproj.infra import leases
from difyproj.infra.inserts import insert, update
from difyproj.infra.models import IdempotencyKey
from difyproj.kernel import clock, ids

from .live import RESERVED_BLOCK
from .plan import Plan
from .request import Once, Reply


@transaction.atomic
def begin(plan: Plan, run_id: UUID, once: Once | None) -> Reply:
    """Conversation, run, message and idempotency key in one short transaction.

    Raises IntegrityError when another request with the same key began its run first; then nothing is written.
    """
    moment = clock.now()
    run = _run(plan, run_id)
    if once is not None:
        IdempotencyKey.objects.create(
            tenant_id=plan.app.tenant_id, scope=once.scope, key=once.key, request_hash=once.request_hash,
            run_id=run.pk, state="done", locked_until=moment,
        )  # fmt: skip
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


def reply_of(run: Run, message: Message) -> Reply:
    """The fixed facts of the run's reply."""
    return Reply(
        run_id=run.pk,
        mode=run.mode,
        tier=run.tier,
        created_at=clock.epoch(message.created_at),
        message_id=message.pk,
        conversation_id=message.conversation_id,
        tenant_id=run.tenant_id,
        app_id=run.app_id,
        end_user_id=run.end_user_id,
        account_id=run.account_id,
    )


def _run(plan: Plan, run_id: UUID) -> Run:
    return Run(
        id=run_id,
        tenant_id=plan.app.tenant_id,
        app_id=plan.app.pk,
        mode=plan.app.mode,
        tier=plan.principal.tier,
        end_user_id=plan.end_user_id,
        account_id=plan.account_id,
        config_override=plan.request.config_override,
        process_id=leases.mine(),
        trace_id=plan.request.trace_id,
        reserved_event_id=RESERVED_BLOCK,
    )


def _conversation(plan: Plan, moment: datetime) -> Conversation:
    return plan.conversation or Conversation(
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
