"""Graphs' runs that go on from their rows: after a crash in the process that takes them over, after a pause where it ends."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Exists, Max, OuterRef, Q

from apps.models import Run, RunStatus
from difyproj.infra import leases, loop
from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError, InternalError, WorkerLost
from workflows.engine import events
from workflows.engine.events import NodeRetried, RunEvent, RunFailed, RunFinished, TextReplaced, TextWhole
from workflows.models import FormStatus, HumanInputForm, NodeExecution, NodeStatus, RunEventRow
from workflows.services import forms

from . import given_files, graph_past, graph_rows, live, places, pump, queued, wishes
from .graph_facts import GraphFacts
from .ledger import Ending, Ledger, Portion
from .live import RESERVED_BLOCK, LiveRun
from .plan import Plan
from .queued import Place
from .replies import reply_of_row

logger = logging.getLogger("dify.api")

# A run that took so many processes with it, and came no further, is ended instead.
MOST_TAKEOVERS = 3
# What stands in the rows for each time that a run was taken over.
NOTE = events.encode(TextWhole())


class Crashed(NamedTuple):
    """A run whose process is gone: the first event id of what comes, how often that was so, who goes on."""

    app_id: UUID
    event_id: int
    takeovers: int
    place: Place


def take_over(run_id: UUID, owner: UUID | None) -> bool:
    """Go on with a run whose process is gone, or have another go on; false when somebody else did."""
    with live.beginning(run_id):
        crashed = _claim_crashed(run_id, owner)
        if crashed is None:
            return False
        places.give(crashed.app_id, run_id, owner)
        if crashed.takeovers > MOST_TAKEOVERS:
            return _give_up(run_id, WorkerLost("The server stopped each time when it went on with this run."))
        return crashed.place is not Place.HERE or _begin(run_id, next_id=crashed.event_id, after_crash=True)


def take(run_id: UUID) -> bool:
    """Begin, or go on with, a run that waits for a process; false when somebody else did."""
    with live.beginning(run_id):
        with transaction.atomic():
            run = Run.objects.select_for_update().filter(queued.WAITING, pk=run_id).first()
            if run is None:
                return False
            after_crash = RunEventRow.objects.filter(run_id=run_id, event_id=run.last_event_id, event=NOTE).exists()
            next_id = run.last_event_id + (0 if after_crash else 1)
            _hand(run, Place.HERE, seen=run.last_event_id)
        try:
            return _begin(run_id, next_id=next_id, after_crash=after_crash)
        finally:
            places.give(run.app_id, run_id, None)


def go_on(run_id: UUID) -> bool:
    """Go on with a paused run, or have another process do it; false when it is not paused, or somebody else did."""
    with live.beginning(run_id):
        return _go_on(run_id)


def _go_on(run_id: UUID) -> bool:
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=run_id, status=RunStatus.PAUSED).first()
        if run is None:
            return False
        place = _place(run)
        _hand(run, place, seen=run.last_event_id)
    try:
        return place is not Place.HERE or _begin(run_id, next_id=run.last_event_id + 1, after_crash=False)
    except (OperationalError, InterfaceError) as error:
        logger.warning("A run cannot go on yet, the reaper tries again: %s", error, extra={"run_id": str(run_id)})
        return False


def _place(run: Run) -> Place:
    return queued.place_of(in_background=wishes.of_run(run).in_background)


def _hand(run: Run, place: Place, *, seen: int) -> None:
    """The run is this process's, or waits for one; within a transaction. No reader knows an event above ``seen``."""
    run.status, run.process_id = RunStatus.RUNNING, queued.owner_in(place)
    if place is Place.HERE:
        run.reserved_event_id = seen + RESERVED_BLOCK
    else:
        run.last_event_id = run.reserved_event_id = seen
    run.save(update_fields=["status", "process_id", "last_event_id", "reserved_event_id"])
    queued.tell(run.pk, run.tenant_id, place)
    if place is not Place.HERE:
        places.take(run.app_id, run.pk, None)


def submit(token: str, *, action: Any, inputs: Any, **who: Any) -> UUID:
    """Answer the form of ``token``; its run goes on as soon as it is paused. The run's id. Raises what ``forms.submit`` raises.

    The lock on the run puts the answer either before its pause, which then finds it, or after.
    """
    with transaction.atomic():
        form = forms.submit(token, action=action, inputs=inputs, take=_with_files, **who)
        status = Run.objects.select_for_update().values_list("status", flat=True).get(pk=form.run_id)
    if status == RunStatus.PAUSED:
        go_on(form.run_id)
    return form.run_id


def _with_files(form: HumanInputForm, values: dict[str, Any]) -> dict[str, Any]:
    """The run reads only what its asker may: so a form's files are that one's uploads, or addresses."""
    return given_files.of_form(graph_past.principal_of(form.run), form.definition.get("inputs") or (), values)


def sweep() -> int:
    """Forms whose time is over expire, and runs that were answered while they paused here go on; how many runs did."""
    paused = live.take_paused()
    return _go_on_all({*(form.run_id for form in forms.expire_due()), *(_answered(run_id__in=paused) if paused else ())})


def sweep_all() -> int:
    """Paused runs that have an answer and that nobody went on with, because a process died meanwhile; how many go on."""
    return _go_on_all(set(_answered()))


def _go_on_all(run_ids: Collection[UUID]) -> int:
    return sum(go_on(run_id) for run_id in run_ids)


def _answered(**where: Any) -> list[UUID]:
    """Paused runs one of whose forms came back."""
    open_node = NodeExecution.objects.filter(pk=OuterRef("execution_id"), status=NodeStatus.PAUSED)
    rows = HumanInputForm.objects.exclude(status=FormStatus.WAITING).filter(run__status=RunStatus.PAUSED, **where)
    return list(rows.filter(Exists(open_node)).values_list("run_id", flat=True)[:100])


def stop_idle(run_id: UUID) -> bool:
    """End a run that waits for people or for a process; false when it does not wait."""
    with live.beginning(run_id):
        return _stop_idle(run_id)


def _stop_idle(run_id: UUID) -> bool:
    idle = Q(status=RunStatus.PAUSED) | queued.WAITING
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(idle, pk=run_id).first()
        if run is None:
            return False
        run.status, run.process_id = RunStatus.RUNNING, leases.mine()
        run.save(update_fields=["status", "process_id"])
    _end(_load(run_id), "stopped", None)
    places.give(run.app_id, run_id, None)
    return True


def _claim_crashed(run_id: UUID, owner: UUID | None) -> Crashed | None:
    """The run is this process's, or waits for another; each time is noted under the first event id of what comes."""
    with transaction.atomic():
        rows = Run.objects.select_for_update().filter(pk=run_id, status=RunStatus.RUNNING, process_id=owner)
        run = rows.first()
        if run is None:
            return None
        taken, place = run.reserved_event_id + 1, _place(run)
        takeovers = _takeovers(run_id) + 1
        RunEventRow.objects.create(run_id=run_id, event_id=taken, event=NOTE)
        _hand(run, Place.HERE if takeovers > MOST_TAKEOVERS else place, seen=taken)
    return Crashed(run.app_id, taken, takeovers, place)


def _takeovers(run_id: UUID) -> int:
    """How often the run was taken over since it last came further: a node ended, a round began, people were asked."""
    notes = RunEventRow.objects.filter(run_id=run_id, event=NOTE)
    ended = NodeExecution.objects.filter(run_id=run_id).aggregate(last=Max("finished_event_id"))["last"] or 0
    told = RunEventRow.objects.filter(run_id=run_id, event_id__gt=ended).exclude(event=NOTE).order_by("-event_id")
    further = (row.event_id for row in told.iterator() if not isinstance(events.decode(bytes(row.event)), NodeRetried))
    return notes.filter(event_id__gt=max(ended, next(further, 0))).count()


def _begin(run_id: UUID, *, next_id: int, after_crash: bool) -> bool:
    run = _load(run_id)
    try:
        plan = graph_past.plan_of(run)
    except DomainError as error:
        return _give_up(run_id, error)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("A run cannot go on", extra={"run_id": str(run_id)})
        return _give_up(run_id, InternalError())
    assert plan.graph is not None
    places.take(run.app_id, run_id, run.process_id)
    ledger = Ledger(run.process_id, plan.graph, newest=run.last_event_id, open_nodes=_open_nodes(run_id))
    reply = reply_of_row(run)
    live_run = LiveRun(reply, plan.state, run.process_id, run.reserved_event_id, next_event_id=next_id, ledger=ledger)
    first = [_withdrawal(plan, plan.graph)] if after_crash or (plan.graph.speaks and _asked_inside(run_id)) else []
    loop.call(pump.start, live_run, plan, first)
    logger.info("A run goes on", extra={"run_id": str(run_id), "after_crash": after_crash})
    return True


def _withdrawal(plan: Plan, graph: GraphFacts) -> RunEvent:
    """What readers saw beyond the nodes that are kept is taken back; a graph that never speaks has nothing to take back."""
    return TextReplaced(plan.state.answer, reason="resumed") if graph.speaks else TextWhole()


def _asked_inside(run_id: UUID) -> bool:
    """Whether rounds of containers waited for people: those that are over say their text again."""
    return NodeExecution.objects.filter(run_id=run_id, finished_event_id=None).exclude(container_id="").exists()


def _open_nodes(run_id: UUID) -> int:
    return NodeExecution.objects.filter(run_id=run_id, finished_event_id=None).count()


def _load(run_id: UUID) -> Run:
    return Run.objects.select_related("message__conversation", "app__tenant").get(pk=run_id)


def _give_up(run_id: UUID, error: DomainError) -> bool:
    """End the run with the error, because it cannot go on."""
    logger.error("A run cannot go on: %s", error, extra={"run_id": str(run_id)})
    _end(_load(run_id), "failed", error)
    return False


def _end(run: Run, status: str, error: DomainError | None) -> None:
    message = getattr(run, "message", None)
    answer, moment = message.answer if message is not None else "", clock.now()
    told: Any = {"answer": answer, "elapsed_time": run.elapsed_time, "finished_at": moment.timestamp()}
    end: RunFinished | RunFailed
    if error is None:
        end = RunFinished(status=status, **told)
    else:
        end = RunFailed(code=error.code, status=error.status, message=error.message, **told)
    ending = Ending(end, answer, moment, then=lambda: None)
    reply = reply_of_row(run)
    next_id = max(run.reserved_event_id, run.last_event_id) + graph_rows.ids_before_end(reply) + 1
    graph_rows.save([Portion(reply, run.process_id, (), 0, ending, next_id, is_cut_off=True)])
