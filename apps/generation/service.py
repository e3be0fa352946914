"""The door's verbs for runs: generate, stop. (Readers: subscription.py; one-shot model calls: invoke.py.)"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection
from django.db.models import Q

from apps.models import App, Run, RunStatus
from apps.modes import GRAPH_MODES
from difyproj.infra import db, loop
from difyproj.infra.backends import get_control
from difyproj.infra.models import IdempotencyKey
from difyproj.kernel import ids
from difyproj.kernel.errors import IdempotencyConflict, TooManyRequests
from difyproj.kernel.principal import ActorKind, Principal, Tier

from . import graph_plan, graph_resume, live, opening, places, plan, pump, queued
from .ledger import Ledger
from .live import LiveRun
from .queued import Place
from .request import GenerateRequest, Once, Reply

STOP_TOPIC = "stop-run"
RETRY_AFTER_SECONDS = 1.0


def generate(principal: Principal, app: App, request: GenerateRequest, *, once: Once | None = None) -> UUID:
    """Begin a run of ``app`` and return its id; with a used ``once`` the id of the run that was begun then.

    Sync, from a thread of the database pool. Raises the contract's errors before anything is written.
    """
    if once is not None and (earlier := begun_with(once)) is not None:
        return earlier
    run_id = ids.new_id()
    made = graph_plan.make(principal, app, request, run_id) if app.mode in GRAPH_MODES else plan.make(principal, app, request)
    place = Place.HERE if made.graph is None else queued.place_of(in_background=request.in_background)
    owner = queued.owner_in(place)
    _take_place(app, run_id, owner)
    try:
        reply = _begin(made, run_id, once, owner, place)
    except IntegrityError:
        places.give(app.pk, run_id, owner)
        earlier = begun_with(once) if once is not None else None
        if earlier is None:
            raise
        return earlier
    except BaseException:
        places.give(app.pk, run_id, owner)
        raise
    if place is Place.HERE:
        ledger = None if made.graph is None else Ledger(owner, made.graph)
        loop.call(pump.start, LiveRun(reply, made.state, owner, ledger=ledger), made)
    return run_id


def _begin(made: plan.Plan, run_id: UUID, once: Once | None, owner: UUID | None, place: Place) -> Reply:
    """When the connection is lost, nobody knows whether the rows were committed: look before beginning again."""
    try:
        return opening.begin(made, run_id, once, owner, place)
    except (OperationalError, InterfaceError):
        connection.close()
    written = Run.objects.filter(pk=run_id).select_related("message").first()
    if written is None:
        return opening.begin(made, run_id, once, owner, place)
    return opening.reply_of(written, getattr(written, "message", None), made.graph)


def begun_with(once: Once) -> UUID | None:
    """The run that this very request began before, if it did. Raises IdempotencyConflict when the key is another request's."""
    row = IdempotencyKey.objects.filter(scope=once.scope, key=once.key).only("request_hash", "run_id").first()
    if row is None:
        return None
    if row.request_hash != once.request_hash or row.run_id is None:
        raise IdempotencyConflict
    return row.run_id


def _take_place(app: App, run_id: UUID, owner: UUID | None) -> None:
    if not places.take(app.pk, run_id, owner, limit=active_limit(app)):
        raise TooManyRequests("Too many requests. The app is answering as many as it may.", retry_after=RETRY_AFTER_SECONDS)


def active_limit(app: App) -> int:
    """How many runs of the app may go on at once; 0 is unlimited. The smaller of the app's and the instance's limit."""
    own = app.max_active_requests or settings.APP_DEFAULT_ACTIVE_REQUESTS
    limits = [limit for limit in (own, settings.APP_MAX_ACTIVE_REQUESTS) if limit > 0]
    return min(limits, default=0)


def stop(principal: Principal, run_id: UUID) -> bool:
    """Ask the run to end; anything that is not the principal's is left alone. True when somebody was asked.

    Only the person who asked may end an answer; a workflow's run is the app's, whoever asks, but for visitors of a page.
    """
    whose = _asked_by(principal)
    if principal.tier is not Tier.WEB:
        whose |= Q(mode="workflow")
    unfinished = Run.objects.filter(status__in=(RunStatus.RUNNING, RunStatus.PAUSED))
    own = unfinished.visible_to(principal).filter(pk=run_id, tier=principal.tier)
    mode = own.filter(whose).values_list("mode", flat=True).first()
    if mode is None:
        return False
    _stop(run_id, is_graph=mode in GRAPH_MODES)
    return True


def _stop(run_id: UUID, *, is_graph: bool) -> None:
    if is_graph and graph_resume.stop_idle(run_id):
        return
    get_control().send(STOP_TOPIC, {"run_id": str(run_id)})
    if is_graph:
        # Where it runs, nobody hears of this once it has paused.
        graph_resume.stop_idle(run_id)


def stop_all(run_ids: Collection[UUID]) -> int:
    """An operator ends runs, whoever asked for them; how many were running and are told to end."""
    running = Run.objects.filter(pk__in=run_ids, status=RunStatus.RUNNING).values_list("pk", "mode")
    for run_id, mode in running:
        _stop(run_id, is_graph=mode in GRAPH_MODES)
    return len(running)


def _asked_by(principal: Principal) -> Q:
    if principal.actor_kind is ActorKind.ACCOUNT:
        return Q(account_id=principal.actor_id)
    return Q(end_user_id=principal.actor_id)


def hear_stop(payload: dict[str, object]) -> None:
    """Another process, or this one, was asked to stop a run; on the loop."""
    key = ids.parse(payload.get("run_id"))
    if key is None:
        return
    live.stop_beginning(key)
    run = live.find(key)
    if run is not None:
        run.stop()
        if run.ledger is not None and not run.driving:
            loop.spawn(_stop_when_paused(run), name=f"stop-{key}")


async def _stop_when_paused(run: LiveRun) -> None:
    """The stop may have come while the pause was being kept."""
    if run.task is not None:
        await asyncio.wait((run.task,))
    await db.run(graph_resume.stop_idle, run.reply.run_id)
