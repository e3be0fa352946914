"""The rows of graphs' runs, written in one transaction for many runs: node executions, boundaries, variables, ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import Q

from apps.models import Message, Run, RunStatus
from difyproj.infra.inserts import insert_many, storable, update, update_many
from difyproj.kernel import structs
from workflows.engine import events
from workflows.engine.events import (
    NodeFinished,
    NodeStarted,
    RunFailed,
    RunPaused,
    TextWhole,
)
from workflows.models import NodeExecution, RunEventRow, WorkflowRun
from workflows.services import conversation_variables, forms

from . import answer_files, asking
from .ledger import Ending, Numbered, Portion
from .recorder import STATUS, message_outcome
from .request import Reply

CONVERSATION: Final = "conversation"
_FENCE: Final = "UPDATE apps_run SET last_event_id = %s WHERE id = %s AND status = 'running' AND "


def save(portions: Sequence[Portion]) -> list[bool]:
    """Keep the portions, all or none; False for a run that another process has or has ended. Safe to repeat."""
    with transaction.atomic():
        lost = _lost(portions)
        mine = [portion for portion in portions if portion.reply.run_id not in lost]
        _save_nodes(mine)
        insert_many([row for portion in mine for row in _boundaries(portion)])
        _save_variables(mine)
        for portion in mine:
            if portion.ending is not None:
                _end(portion, portion.ending)
    for portion in portions:
        if portion.ending is not None:
            portion.ending.then()
    return [portion.reply.run_id not in lost for portion in portions]


def _lost(portions: Sequence[Portion]) -> set[UUID]:
    """Runs that are not ours any more. The rows of the others are locked until the transaction ends."""
    if _fence(portions) == len(portions):
        return set()
    keys = [portion.reply.run_id for portion in portions]
    rows = {row.pk: row for row in Run.objects.filter(pk__in=keys).only("status", "process_id", "last_event_id", "finished_at")}
    return {portion.reply.run_id for portion in portions if not _is_ours(portion, rows.get(portion.reply.run_id))}


def _is_ours(portion: Portion, row: Run | None) -> bool:
    """A transaction whose answer was lost may have been committed: an end that is ours is no loss."""
    if row is None or row.process_id != portion.owner:
        return False
    if row.status == RunStatus.RUNNING:
        return True
    return portion.ending is not None and row.last_event_id == portion.ending_id


def _fence(portions: Sequence[Portion]) -> int:
    key, met = Run._meta.pk, 0
    with connection.cursor() as cursor:
        for owner in {portion.owner for portion in portions}:
            own = [portion for portion in portions if portion.owner == owner]
            rows = [(_last(one), key.get_db_prep_value(one.reply.run_id, connection)) for one in own]
            if owner is None:
                cursor.executemany(_FENCE + "process_id IS NULL", rows)
            else:
                mine = key.get_db_prep_value(owner, connection)
                cursor.executemany(_FENCE + "process_id = %s", [(*row, mine) for row in rows])
            met += int(cursor.rowcount)
    return met


def ids_before_end(reply: Reply) -> int:
    """How many ids stand free before a run's end: for the whole text, and for the first of a chatflow's two last records."""
    return 1 if reply.message_id is None else 2


def _last(portion: Portion) -> int:
    return portion.ending_id if portion.ending is not None else portion.last_event_id


def _save_nodes(portions: Sequence[Portion]) -> None:
    """A node that began and ended within one transaction is written once."""
    begun: dict[str, NodeExecution] = {}
    ended: list[tuple[UUID, dict[str, Any]]] = []
    for portion in portions:
        for number, event in portion.boundaries:
            if isinstance(event, NodeStarted):
                begun[event.execution_id] = _begun(portion, number, event)
            elif isinstance(event, NodeFinished):
                values = finished(number, event)
                row = begun.get(event.execution_id)
                if row is None:
                    ended.append((UUID(event.execution_id), values))
                for name, value in values.items() if row is not None else ():
                    setattr(row, name, value)
    insert_many(list(begun.values()))
    update_many(NodeExecution, ended)


def _begun(portion: Portion, number: int, event: NodeStarted) -> NodeExecution:
    reply, place = portion.reply, event.place
    assert reply.workflow_id is not None
    return NodeExecution(
        id=UUID(event.execution_id),
        tenant_id=reply.tenant_id,
        app_id=reply.app_id,
        run_id=reply.run_id,
        workflow_id=reply.workflow_id,
        node_id=event.node_id,
        node_type=event.node_type,
        title=storable(event.title),
        index=event.index,
        predecessor_node_id=event.predecessor_node_id or "",
        container_id=place.container_id if place else "",
        container_kind=place.kind if place else "",
        round=place.round if place else None,
        metadata={PLACE: msgspec.to_builtins(place)} if place and place.outer else {},
        account_id=reply.account_id,
        end_user_id=reply.end_user_id,
        started_event_id=number,
        created_at=_moment(event.created_at),
    )


def finished(number: int, event: NodeFinished) -> dict[str, Any]:
    """The columns of a node's end."""
    usage = event.usage
    return {
        "status": event.status,
        "inputs": event.inputs,
        "outputs": event.outputs,
        "process_data": event.process_data,
        "error": storable(event.error or ""),
        "handle": event.handle,
        "assigned": msgspec.to_builtins(event.assigned),
        "attempts": int(event.metadata.get("retries", 0)) + 1,
        "metadata": metadata(event),
        "total_tokens": usage.total_tokens if usage else 0,
        "total_price": Decimal(usage.total_price) if usage else None,
        "currency": usage.currency if usage else "USD",
        "elapsed_time": event.elapsed_time,
        "finished_event_id": number,
        "finished_at": _moment(event.finished_at),
    }


USAGE, STRATEGY, PLACE = "usage", "error_strategy", "place"


def metadata(event: NodeFinished) -> dict[str, Any]:
    """The event's own, and what else the event can be made of again."""
    more: dict[str, Any] = {}
    if event.place is not None and event.place.outer is not None:
        more[PLACE] = msgspec.to_builtins(event.place)
    if event.usage is not None:
        more[USAGE] = msgspec.structs.asdict(event.usage)
    if event.error_strategy:
        more[STRATEGY] = event.error_strategy
    return {**event.metadata, **more}


def _boundaries(portion: Portion) -> Iterable[RunEventRow]:
    run_id = portion.reply.run_id
    for number, event in portion.boundaries:
        if not isinstance(event, NodeStarted | NodeFinished):
            yield RunEventRow(run_id=run_id, event_id=number, event=events.encode(asking.without_tokens(event)))
    ending = portion.ending
    if ending is None:
        return
    if isinstance(ending.event, RunPaused):
        paused = asking.without_tokens(ending.event)
        yield RunEventRow(run_id=run_id, event_id=portion.ending_id, event=events.encode(paused))
    if portion.reply.message_id is None and ending.answer:
        whole = TextWhole(ending.answer)
        yield RunEventRow(run_id=run_id, event_id=portion.ending_id - 1, event=events.encode(whole))


def _save_variables(portions: Sequence[Portion]) -> None:
    """What nodes gave to the conversation's variables, the last value of each."""
    for portion in portions:
        key = portion.reply.conversation_id
        if key is not None and (assigned := _assigned(portion.boundaries)):
            conversation_variables.store(key, assigned)


def _assigned(boundaries: Sequence[Numbered]) -> dict[str, Any]:
    return {
        one.name: one.value
        for _, event in boundaries
        if isinstance(event, NodeFinished)
        for one in event.assigned
        if one.scope == CONVERSATION
    }


def _end(portion: Portion, ending: Ending) -> None:
    reply, event = portion.reply, ending.event
    if isinstance(event, RunPaused):
        _pause(portion, event, ending)
        return
    outcome: dict[str, Any] = {
        "last_event_id": portion.ending_id,
        "finished_at": ending.moment,
        "elapsed_time": event.elapsed_time,
        "total_tokens": event.usage.total_tokens,
    }
    if isinstance(event, RunFailed):
        told = {"error": storable(event.message), "error_code": event.code, "error_status": event.status}
        outcome |= {"status": RunStatus.FAILED, **told}
    else:
        outcome["status"] = STATUS[event.status]
    update(Run, reply.run_id, outcome)
    done = {"outputs": event.outputs, "total_steps": event.total_steps, "exceptions_count": event.exceptions_count}
    update_many(WorkflowRun, [(reply.run_id, done)])
    if reply.message_id is not None:
        said = message_outcome(storable(ending.answer), event)
        update_many(Message, [(reply.message_id, {**said, "updated_at": ending.moment})])
        answer_files.keep(reply, event.outputs)
    if portion.is_cut_off:
        _stop_nodes(reply.run_id, ending.moment)


def _stop_nodes(run_id: UUID, moment: datetime) -> None:
    """Nodes that were cut off with the run, and whom they asked."""
    left = NodeExecution.objects.filter(run_id=run_id).filter(Q(status="running") | Q(status="paused"))
    left.update(status="stopped", finished_at=moment)
    forms.close(run_id)


def _pause(portion: Portion, event: RunPaused, ending: Ending) -> None:
    reply = portion.reply
    outcome = {
        "last_event_id": portion.ending_id, "status": RunStatus.PAUSED, "process_id": None,
        "elapsed_time": event.elapsed_time, "total_tokens": event.usage.total_tokens,
    }  # fmt: skip
    update(Run, reply.run_id, outcome)
    done = {"outputs": event.outputs, "total_steps": event.total_steps}
    update_many(WorkflowRun, [(reply.run_id, done)])
    waiting = [reason.execution_id for reason in event.reasons]
    NodeExecution.objects.filter(run_id=reply.run_id, pk__in=waiting).update(status="paused")
    if reply.message_id is not None:
        update(Message, reply.message_id, {"answer": storable(ending.answer), "updated_at": ending.moment})


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def finished_event(row: NodeExecution) -> NodeFinished:
    """The event that the row of a finished node was written from."""
    told = dict(row.metadata)
    usage, strategy, _ = told.pop(USAGE, None), told.pop(STRATEGY, ""), told.pop(PLACE, None)
    return NodeFinished(
        execution_id=str(row.pk),
        node_id=row.node_id,
        node_type=row.node_type,
        title=row.title,
        index=row.index,
        status=row.status,
        created_at=row.created_at.timestamp(),
        finished_at=row.finished_at.timestamp() if row.finished_at else 0.0,
        elapsed_time=row.elapsed_time,
        inputs=row.inputs,
        outputs=row.outputs,
        process_data=row.process_data,
        error=row.error or None,
        usage=structs.convert(usage, events.Usage) if usage else None,
        handle=row.handle,
        assigned=structs.convert(row.assigned, list[events.Assigned]),
        error_strategy=strategy,
        place=place_of(row),
        predecessor_node_id=row.predecessor_node_id or None,
        metadata=told,
    )


def started_event(row: NodeExecution) -> NodeStarted:
    return NodeStarted(
        str(row.pk), row.node_id, row.node_type, row.title, row.index, row.created_at.timestamp(),
        row.predecessor_node_id or None, place_of(row),
    )  # fmt: skip


def place_of(row: NodeExecution) -> events.Place | None:
    if PLACE in row.metadata:
        return structs.convert(row.metadata[PLACE], events.Place)
    return events.Place(row.container_id, row.container_kind, row.round or 0) if row.container_id else None
