"""Group commit: one transaction at a time for all graphs' runs of the process. What waits meanwhile goes together next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from django.conf import settings
from django.db import InterfaceError, OperationalError

from difyproj.infra import db, loop

from . import graph_rows
from .ledger import Ledger, Portion
from .live import LiveRun

logger = logging.getLogger("dify.api")

Outcome = bool | Exception


class Committer:
    """At once when idle. A run is shown what it kept after the transaction that holds it, in order."""

    def __init__(self) -> None:
        self._waiting: dict[LiveRun, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._round = asyncio.Event()

    def hand(self, run: LiveRun) -> None:
        """``run`` has something to keep; on the loop."""
        self._waiting[run] = None
        if self._task is None:
            self._task = loop.spawn(self._work(), name="committer")

    async def kept(self, run: LiveRun) -> None:
        """Wait until all that ``run`` handed in is kept, or cannot be."""
        while _ledger(run).queue and self._task is not None:
            await self._round.wait()

    async def _work(self) -> None:
        try:
            while self._waiting:
                runs, self._waiting = list(self._waiting), {}
                portions = [_ledger(run).portion(run) for run in runs]
                for run, portion, outcome in zip(runs, portions, await _keep(portions), strict=True):
                    _settle(run, portion, outcome)
                self._end_round()
        finally:
            self._task = None
            self._end_round()

    def _end_round(self) -> None:
        ended, self._round = self._round, asyncio.Event()
        ended.set()


committer = Committer()


def _ledger(run: LiveRun) -> Ledger:
    assert run.ledger is not None
    return run.ledger


async def _keep(portions: Sequence[Portion]) -> Sequence[Outcome]:
    """All in one transaction; each in its own when one of them cannot be written. What a database that is away does not take is
    tried for as long as a run may last."""
    try:
        return await db.run_persistently(settings.APP_MAX_EXECUTION_TIME, graph_rows.save, portions)
    except (OperationalError, InterfaceError) as error:
        return [error] * len(portions)
    except Exception as error:
        if len(portions) == 1:
            logger.exception("What happened in a run could not be kept", extra={"run_id": str(portions[0].reply.run_id)})
            return [error]
    return [(await _keep([portion]))[0] for portion in portions]


def _settle(run: LiveRun, portion: Portion, outcome: Outcome) -> None:
    """What goes wrong with one run is told to that one: the others wait for the committer, too."""
    try:
        _tell(run, portion, outcome)
    except Exception as error:
        logger.exception("What is kept of a run could not be shown", extra={"run_id": str(run.reply.run_id)})
        _tell(run, portion, error)


def _tell(run: LiveRun, portion: Portion, outcome: Outcome) -> None:
    ledger = _ledger(run)
    if outcome is True:
        ledger.kept(run)
    else:
        ledger.give_up(outcome)
    if portion.ending is not None or outcome is False:
        ledger.settle(outcome)
    elif outcome is not True:
        run.interrupt()
