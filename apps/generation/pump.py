"""The pump: the one loop that drives a run. It keeps what happens, then shows it; whatever ends it, the end is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from functools import partial

from django.conf import settings
from django.db import InterfaceError, OperationalError

from difyproj.infra import db
from difyproj.kernel.errors import DomainError, InternalError, WorkerLost
from workflows.engine.events import RunEvent, RunFailed, RunFinished, RunPaused

from . import graph_record, live, places, recorder, titles
from .commits import committer
from .encodable import encodable
from .knowledge_cited import cited
from .ledger import Ledger
from .live import LiveRun
from .plan import Plan

logger = logging.getLogger("dify.api")

End = RunFinished | RunFailed | RunPaused


class ExecutionTimeout(DomainError):
    code, status = "completion_request_error", 400
    default_message = "The generation took longer than the time allowed for one."


def start(run: LiveRun, plan: Plan, first: Sequence[RunEvent] = ()) -> None:
    """Begin to pump ``run``; on the loop. ``first`` is shown before anything else of a run that goes on."""
    before = live.find(run.reply.run_id)
    work = _pump(run, plan) if before is None and not first else _go_on(run, plan, before, first)
    if before is None:
        live.add(run)
    run.task = asyncio.get_running_loop().create_task(work, name=f"run-{run.reply.run_id}")


async def _go_on(run: LiveRun, plan: Plan, before: LiveRun | None, first: Sequence[RunEvent]) -> None:
    """A run that has just paused here is answered before its pump has said so: that comes first."""
    if before is not None and before.task is not None:
        await asyncio.wait((before.task,))
        live.add(run)
        await db.run(places.take_again, run)
    await _pump(run, plan, first)


async def _pump(run: LiveRun, plan: Plan, first: Sequence[RunEvent] = ()) -> None:
    try:
        try:
            if first:
                run.publish(first)
            end = cited(await _conclude(run, plan, await _drive(run, plan)), run.reply, plan)
            if plan.written is not None:
                await plan.written.note(end, run.reply)
        except Exception:
            logger.exception("A run's end could not be told", extra={"run_id": str(run.reply.run_id)})
            end = _bare_failure(run)
        if run.ledger is None:
            await _settle(run, plan, end)
        else:
            await _settle_graph(run, plan, run.ledger, end)
    finally:
        live.remove(run)
        if run.has_slot:
            await db.run(places.give_back, run)


async def _drive(run: LiveRun, plan: Plan) -> End | DomainError:
    """Publish the run's events as they come; the terminal one, or why there is none, is given back, not yet shown."""
    ledger = run.ledger
    try:
        run.driving = True
        async with asyncio.timeout(settings.APP_MAX_EXECUTION_TIME), aclosing(plan.events) as events:
            if run.interrupted:
                return WorkerLost()
            async for event in events:
                if isinstance(event, RunFinished | RunFailed):
                    return event
                if ledger is None:
                    run.publish((event,))
                elif isinstance(event, RunPaused):
                    return graph_record.paused(run, ledger, event)
                else:
                    await graph_record.record(run, ledger, event)
                if run.next_event_id > run.reserved_event_id:
                    await recorder.reserve(run)
        return InternalError()
    except TimeoutError:
        return ExecutionTimeout()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        return WorkerLost()
    except Exception:
        logger.exception("A run broke", extra={"run_id": str(run.reply.run_id)})
        return InternalError()
    finally:
        run.driving = False


async def _conclude(run: LiveRun, plan: Plan, end: End | DomainError) -> End:
    """The terminal event, with the usage of a run that was cut short."""
    if not isinstance(end, DomainError):
        return end
    if run.ledger is not None and run.ledger.broken:
        return await run.state.failed(plan.models, InternalError())
    if run.ledger is not None and run.interrupted and not run.stop_requested and isinstance(end, WorkerLost):
        # Another process goes on: what it cost so far is of no use, and counting takes time that this one may not have.
        return _bare_failure(run, end)
    if run.stop_requested and isinstance(end, WorkerLost):
        return await run.state.finished(plan.models, "stopped", run.state.answer)
    return await run.state.failed(plan.models, end)


def _bare_failure(run: LiveRun, error: DomainError | None = None) -> RunFailed:
    error = error or InternalError()
    return RunFailed(
        code=error.code,
        status=error.status,
        message=error.message,
        answer=run.state.answer,
        elapsed_time=round(run.state.elapsed, 3),
    )


async def _settle_graph(run: LiveRun, plan: Plan, ledger: Ledger, end: End) -> None:
    """Keep the end, then show it. A graph that nobody ended is left as it is: another process, or the next one, goes on with
    it; so it is when its end cannot be kept."""
    is_cut_off = run.interrupted and not run.stop_requested and not ledger.broken
    if ledger.lost or (is_cut_off and isinstance(end, RunFailed) and end.code == WorkerLost.code):
        await committer.kept(run)
        return
    try:
        end, is_kept = await _keep_graph(run, ledger, encodable(end))
    except Exception:
        logger.exception("A run's end could not be kept", extra={"run_id": str(run.reply.run_id)})
        return
    if not is_kept:
        return
    run.publish((end,))
    if isinstance(end, RunPaused):
        live.note_pause(run)
    _name_later(run, plan, end)


async def _keep_graph(run: LiveRun, ledger: Ledger, end: End) -> tuple[End, bool]:
    then = partial(places.give_back, run)
    try:
        return end, await graph_record.close(run, ledger, end, then=then)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("A run's end could not be kept, so it failed", extra={"run_id": str(run.reply.run_id)})
    bare = _bare_failure(run)
    return bare, await graph_record.close(run, ledger, bare, then=then)


async def _settle(run: LiveRun, plan: Plan, end: End) -> None:
    """Keep the end, then show it. What another process ended meanwhile is shown as that one kept it."""
    assert not isinstance(end, RunPaused)
    try:
        end, kept = await _keep(run, end)
    except Exception:
        logger.exception("A run's end could not be kept", extra={"run_id": str(run.reply.run_id)})
        run.publish((_bare_failure(run),))
        return
    if kept is not None:
        first_id, closing = kept
        run.next_event_id = max(run.next_event_id, first_id)
        run.publish(closing)
        return
    run.publish((end,))
    _name_later(run, plan, end)


def _name_later(run: LiveRun, plan: Plan, end: End) -> None:
    """A new conversation gets its name after its first answer."""
    conversation_id = run.reply.conversation_id if plan.app.mode != "completion" else None
    is_named = plan.conversation is None and plan.request.auto_generate_name and isinstance(end, RunFinished)
    if conversation_id is not None and is_named:
        titles.write_later(plan, conversation_id)


async def _keep(run: LiveRun, end: RunFinished | RunFailed) -> tuple[RunFinished | RunFailed, recorder.Kept]:
    """The end as it was kept: once more without its details when the database does not take one of them."""
    try:
        return end, await recorder.finish(run, end, then=partial(places.give_back, run))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("A run's end is kept without its details", extra={"run_id": str(run.reply.run_id)})
    end = recorder.bare(end)
    return end, await recorder.finish(run, end, then=partial(places.give_back, run))
