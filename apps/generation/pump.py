"""The pump: the one loop that drives a run. It keeps what happens, then shows it; whatever ends it, the end is kept."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from functools import partial
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError

from difyproj.infra import db
from difyproj.infra.backends import get_slots
from difyproj.kernel.errors import DomainError, InternalError, WorkerLost
from workflows.engine.events import RunFailed, RunFinished

from . import live, recorder, titles
from .live import LiveRun
from .plan import Plan

logger = logging.getLogger("dify.api")


class ExecutionTimeout(DomainError):
    code, status = "completion_request_error", 400
    default_message = "The generation took longer than the time allowed for one."


def start(run: LiveRun, plan: Plan) -> None:
    """Begin to pump ``run``; on the loop."""
    live.add(run)
    run.task = asyncio.get_running_loop().create_task(_pump(run, plan), name=f"run-{run.reply.run_id}")


async def _pump(run: LiveRun, plan: Plan) -> None:
    try:
        try:
            end = await _conclude(run, plan, await _drive(run, plan))
        except Exception:
            logger.exception("A run's end could not be told", extra={"run_id": str(run.reply.run_id)})
            end = _bare_failure(run)
        await _settle(run, plan, end)
    finally:
        live.remove(run)
        if run.has_slot:
            await db.run(_give_slot, run)


async def _drive(run: LiveRun, plan: Plan) -> RunFinished | RunFailed | DomainError:
    """Publish the run's events as they come; the terminal one, or why there is none, is given back, not yet shown."""
    try:
        run.driving = True
        async with asyncio.timeout(settings.APP_MAX_EXECUTION_TIME), aclosing(plan.events) as events:
            if run.interrupted:
                return WorkerLost()
            async for event in events:
                if isinstance(event, RunFinished | RunFailed):
                    return event
                run.publish((event,))
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


async def _conclude(run: LiveRun, plan: Plan, end: RunFinished | RunFailed | DomainError) -> RunFinished | RunFailed:
    """The terminal event, with the usage of a run that was cut short."""
    if not isinstance(end, DomainError):
        return end
    if run.stop_requested and isinstance(end, WorkerLost):
        return await run.state.finished(plan.models, "stopped", run.state.answer)
    return await run.state.failed(plan.models, end)


def _bare_failure(run: LiveRun) -> RunFailed:
    error = InternalError()
    return RunFailed(
        code=error.code,
        status=error.status,
        message=error.message,
        answer=run.state.answer,
        elapsed_time=round(run.state.elapsed, 3),
    )


async def _settle(run: LiveRun, plan: Plan, end: RunFinished | RunFailed) -> None:
    """Keep the end, then show it. What another process ended meanwhile is shown as that one kept it."""
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
    is_named_later = plan.conversation is None and plan.app.mode != "completion" and plan.request.auto_generate_name
    if isinstance(end, RunFinished) and is_named_later:
        titles.write_later(plan, run.reply.conversation_id)


async def _keep(run: LiveRun, end: RunFinished | RunFailed) -> tuple[RunFinished | RunFailed, recorder.Kept]:
    """The end as it was kept: once more without its details when the database does not take one of them."""
    try:
        return end, await recorder.finish(run, end, then=partial(_give_slot, run))
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("A run's end is kept without its details", extra={"run_id": str(run.reply.run_id)})
    end = recorder.bare(end)
    return end, await recorder.finish(run, end, then=partial(_give_slot, run))


def _give_slot(run: LiveRun) -> None:
    """In a thread: Redis may have to be asked. It is free before the end is shown, so that who sees the end may ask again."""
    get_slots().give(slot_key(run.reply.app_id), str(run.reply.run_id))
    run.has_slot = False


def slot_key(app_id: UUID) -> str:
    return f"app:{app_id}"
