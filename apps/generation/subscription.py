"""A reader of a run: numbered public records, live from the event log or rebuilt from the rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from apps.models import Run, RunStatus
from apps.modes import GRAPH_MODES
from difyproj.infra import db
from difyproj.infra.event_log import Follower
from difyproj.kernel import clock
from difyproj.kernel.errors import NotFound
from difyproj.kernel.principal import ActorKind, Principal
from workflows.engine.events import TERMINAL, RunEvent, RunPaused, TextReplaced

from . import graph_replay, live, replay
from .log import event_log
from .replies import reply_of_row
from .request import Reply
from .wire import Record, Wire
from .wires import wire_of, wire_of_ended

T = TypeVar("T")

NumberedRecord = tuple[int, Record]
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.05, 1.0
# So long may a run of another process be silent before its rows are asked whether it has ended.
SILENCE_SECONDS = 2.0
PATIENCE_SECONDS = 30.0
WITHOUT_MESSAGE = "workflow"


class RunNotFound(NotFound):
    default_message = "Run Not Exists."


class Subscription:
    """One reader's way through a run's records. ``finished`` once the last one was handed out."""

    def __init__(
        self,
        reply: Reply,
        wire: Wire,
        *,
        after: int,
        follower: Follower[RunEvent] | None,
        continue_on_pause: bool = False,
    ) -> None:
        self.reply = reply
        self.wire = wire
        self.finished = False
        self._after = self._had = after
        self._follower = follower
        self._is_graph = reply.mode in GRAPH_MODES
        self._continues = continue_on_pause
        self._is_here = live.find(reply.run_id) is not None
        self._log_is_broken = False
        self._poll_seconds = FIRST_POLL_SECONDS
        self._poked = False

    async def events(self, seconds: float | None = None) -> Sequence[tuple[int, RunEvent]]:
        """The next native events; empty at the end, after ``seconds`` without one, or when poked."""
        deadline = None if seconds is None else clock.monotonic() + seconds
        while not self.finished:
            batch = await (self._from_log(deadline) if self._follower else self._from_rows(deadline))
            if batch or self._poked or (deadline is not None and clock.monotonic() >= deadline):
                self._poked = False
                return batch
        return ()

    async def next(self, seconds: float | None = None) -> list[NumberedRecord]:
        """The next public records, at once all that wait."""
        found = await self.events(seconds)
        if not self._is_graph:
            return [(number, record) for number, event in found for record in self.wire.records(event)]
        return [one for number, event in found for one in self._numbered(number, event) if one[0] > self._had]

    def _numbered(self, number: int, event: RunEvent) -> list[NumberedRecord]:
        """Who saw only the first of an event's records gets the others: the id of the event is the last one's. The id before an
        end is free for that (``TextWhole``)."""
        *first, last = self.wire.records(event) or (None,)
        return [] if last is None else [*((number - 1, record) for record in first), (number, last)]

    async def whole(self) -> Record:
        """The reply as one body, once it is complete. Raises RunError when the run failed."""
        collected: list[RunEvent] = []
        try:
            while not self.finished:
                collected.extend(event for _, event in await self.events())
        finally:
            self.cancel()
        return self.wire.blocking(collected)

    def poke(self) -> None:
        """Makes a waiting ``next`` return: one timer of the reader's own is cheaper than one per event here."""
        self._poked = True
        if self._follower is not None:
            self._follower.poke()

    def cancel(self) -> None:
        self.finished = True
        if self._follower is not None:
            self._follower.cancel()

    async def _from_log(self, deadline: float | None) -> Sequence[tuple[int, RunEvent]]:
        """The log's next events. A log that breaks off, or has a hole, is given up: the rows have the whole text in the end."""
        follower = self._follower
        assert follower is not None
        wait = None if deadline is None else deadline - clock.monotonic()
        if not self._is_here:
            wait = SILENCE_SECONDS if wait is None else min(SILENCE_SECONDS, wait)
        batch = await follower.next(wait)
        if batch and self._is_graph:
            return await self._without_holes(batch)
        if batch and (batch[0][0] == self._after + 1 or isinstance(batch[0][1], TextReplaced)):
            self._after = batch[-1][0]
            self.finished = isinstance(batch[-1][1], TERMINAL)
            return batch
        silent = not batch and not self._is_here
        if batch or follower.finished or (silent and await _read(_has_ended, self.reply.run_id)):
            follower.cancel()
            self._follower, self._log_is_broken = None, True
        return ()

    async def _from_rows(self, deadline: float | None) -> Sequence[tuple[int, RunEvent]]:
        """A run without a log here: its end from its rows (its process died), until then its log, should there be one now."""
        run = await _read(_load, self.reply.run_id)
        if self._is_graph:
            return await self._graph_from_rows(run, deadline)
        if run.status != RunStatus.RUNNING:
            self.finished = True
            return replay.events(run, run.message, after=self._after)
        if not self._log_is_broken:
            self._follower = await event_log().follow(self.reply.run_id, self._after)
        self._is_here = live.find(self.reply.run_id) is not None
        if self._follower is None:
            await self._pass_time(deadline)
        return ()

    async def _pass_time(self, deadline: float | None) -> None:
        left = self._poll_seconds if deadline is None else min(self._poll_seconds, deadline - clock.monotonic())
        self._poll_seconds = min(2 * self._poll_seconds, LONGEST_POLL_SECONDS)
        await asyncio.sleep(max(0.0, left))

    async def _without_holes(self, batch: Sequence[tuple[int, RunEvent]]) -> Sequence[tuple[int, RunEvent]]:
        """The batch with the boundaries that the rows hold and the log does not: those of a process that died."""
        whole: list[tuple[int, RunEvent]] = []
        for number, event in batch:
            if number > self._after + 1:
                whole += await db.run_persistently(
                    PATIENCE_SECONDS, graph_replay.between, self.reply.run_id, self._after, number
                )
            whole.append((number, event))
            self._after = number
        self._note_end(whole[-1][1])
        return whole

    def _note_end(self, event: RunEvent) -> None:
        self.finished = isinstance(event, TERMINAL) or (isinstance(event, RunPaused) and not self._continues)

    async def _graph_from_rows(self, run: Run, deadline: float | None) -> Sequence[tuple[int, RunEvent]]:
        """A graph's run without a log here: what its rows hold when it is over or paused, else its log once there is one."""
        if run.status != RunStatus.RUNNING and run.last_event_id > self._after:
            batch = await db.run_persistently(PATIENCE_SECONDS, partial(graph_replay.whole, run, after=self._after))
            self._after = run.last_event_id
            self._note_end(batch[-1][1])
            return batch
        if run.status not in (RunStatus.RUNNING, RunStatus.PAUSED) or not (run.status == RunStatus.RUNNING or self._continues):
            self.finished = True
            return ()
        self._follower = await event_log().follow(self.reply.run_id, self._after)
        self._is_here = live.find(self.reply.run_id) is not None
        if self._follower is None or self._follower.finished:
            self._follower = None
            await self._pass_time(deadline)
        return ()


async def _read(work: Callable[[UUID], T], run_id: UUID) -> T:
    """A database that is away is waited for: whoever reads has time."""
    return await db.run_persistently(PATIENCE_SECONDS, work, run_id)


def _has_ended(run_id: UUID) -> bool:
    return not Run.objects.filter(pk=run_id, status=RunStatus.RUNNING).exists()


async def subscribe(
    principal: Principal,
    run_id: UUID,
    *,
    after: int = 0,
    wire: Callable[[Reply], Wire] = wire_of,
    continue_on_pause: bool = False,
) -> Subscription:
    """A reader of the principal's own run, from the records above ``after``, as ``wire`` writes them. Raises RunNotFound.

    It ends with the run, or when the run pauses, unless it is to wait for what comes after.
    """
    known = live.reply_of(run_id)
    reply = known if known is not None else await _read(_reply, run_id)
    if not owns(principal, reply):
        raise RunNotFound
    follower = await event_log().follow(run_id, after)
    return Subscription(reply, wire(reply), after=after, follower=follower, continue_on_pause=continue_on_pause)


async def attach(
    principal: Principal, run_id: UUID, *, snapshot: bool = False, continue_on_pause: bool = False
) -> Subscription:
    """A reader who comes later: with ``snapshot`` from the beginning, else from what happens next; of a run that is over only
    its end. Raises RunNotFound."""
    row = await _read(_load, run_id)
    over = row.status not in (RunStatus.RUNNING, RunStatus.PAUSED)
    after = row.last_event_id - 1 if over else 0
    if not over and not snapshot:
        run = live.find(run_id)
        after = run.shown_event_id if run is not None else await _newest(row)
    wire = wire_of_ended if over else wire_of
    return await subscribe(principal, run_id, after=after, wire=wire, continue_on_pause=continue_on_pause)


async def _newest(row: Run) -> int:
    """The newest event of a run that another process has, as far as it is known here; of a paused run all but the pause."""
    if row.status == RunStatus.PAUSED:
        return row.last_event_id - 1
    known = await event_log().read_all(row.pk)
    return max([row.last_event_id, *(number for number, _ in known)])


def owns(principal: Principal, reply: Reply) -> bool:
    """Whether the run is the principal's: same tenant, same app, same person, same tier."""
    if principal.tenant_id != reply.tenant_id or principal.tier != reply.tier:
        return False
    if principal.app_id is not None and principal.app_id != reply.app_id:
        return False
    if principal.actor_kind is ActorKind.APP_KEY:
        return True
    return principal.actor_id == (reply.account_id if principal.actor_kind is ActorKind.ACCOUNT else reply.end_user_id)


def _load(run_id: UUID) -> Run:
    run = Run.objects.select_related("message").filter(pk=run_id).first()
    if run is None or (run.mode != WITHOUT_MESSAGE and not hasattr(run, "message")):
        raise RunNotFound
    return run


def _reply(run_id: UUID) -> Reply:
    return reply_of_row(_load(run_id))
