"""What happens in a graph's run, kept before it is shown, up to its end or its pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
from django.conf import settings

from difyproj.infra import db
from difyproj.kernel import clock, jsonio
from workflows.engine.events import (
    HumanInputRequired,
    NodeStarted,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
    RunStarted,
    TextWhole,
)

from . import asking, graph_rows
from .commits import committer
from .encodable import measured
from .ledger import Ending, Ledger
from .live import LiveRun
from .masks import without_secrets

# What one run may have waiting, in events and in bytes.
LONGEST_QUEUE, LARGEST_QUEUE = 2_000, 4 * 1024 * 1024


async def record(run: LiveRun, ledger: Ledger, event: RunEvent) -> None:
    """Keep and show the event, in this order; waits only when the database falls far behind."""
    if isinstance(event, HumanInputRequired):
        event = await _issue(run, ledger, event)
    event, size = measured(_complete(ledger, event))
    if ledger.put(run, event, size):
        committer.hand(run)
        if isinstance(event, NodeStarted) and event.node_id in ledger.facts.once:
            await committer.kept(run)
        if len(ledger.queue) > LONGEST_QUEUE or ledger.size > LARGEST_QUEUE:
            await committer.kept(run)


def paused(run: LiveRun, ledger: Ledger, event: RunPaused) -> RunPaused:
    """The pause with the forms as they were shown."""
    reasons = [ledger.asked.get(reason.execution_id, reason) for reason in event.reasons]
    return msgspec.structs.replace(event, reasons=reasons, answer=run.state.answer)


async def close(
    run: LiveRun, ledger: Ledger, event: RunFinished | RunFailed | RunPaused, *, then: Callable[[], object]
) -> bool:
    """Keep all that waits and the end, in one transaction; ``then`` follows in the same thread. False when another process has
    the run."""
    for _ in range(graph_rows.ids_before_end(run.reply)):
        ledger.put(run, TextWhole())
    ledger.settled = asyncio.get_running_loop().create_future()
    ledger.ending = Ending(event, jsonio.storable(run.state.answer), clock.now(), then)
    committer.hand(run)
    try:
        return await ledger.settled
    finally:
        ledger.ending = None


def _complete(ledger: Ledger, event: RunEvent) -> RunEvent:
    """The event with what the engine does not know: the run's whole inputs, and which texts nobody is shown."""
    if isinstance(event, RunStarted):
        return msgspec.structs.replace(event, inputs=dict(ledger.facts.inputs))
    return without_secrets(event, ledger.facts.secrets)


async def _issue(run: LiveRun, ledger: Ledger, event: HumanInputRequired) -> HumanInputRequired:
    """The event with its form."""
    seconds = settings.APP_MAX_EXECUTION_TIME
    shown = await db.run_persistently(seconds, asking.issued, run.reply.run_id, event)
    ledger.asked[event.execution_id] = shown
    return shown
