"""Runs that execute in this process: what the pump, the recorder and the readers share while one is alive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from difyproj.infra import loop
from workflows.engine.events import RunEvent, TextChunk, TextReplaced
from workflows.engine.state import RunState

from .ledger import Ledger
from .log import event_log
from .request import Reply

RESERVED_BLOCK = 10_000


@dataclass(slots=True, eq=False)
class LiveRun:
    """``next_event_id`` is the id of the next event; ids up to ``reserved_event_id`` are promised in the run's row.

    ``text_event_id`` is the newest event that changed the answer, ``saved_event_id`` the newest one whose text the rows hold.
    ``owner`` is the process that has the run. A graph's run has a ``ledger``: what happens in it is kept before it is shown.
    ``driving`` is true while the engine may be interrupted: not before the pump's first step, and not while the end is kept.
    """

    reply: Reply
    state: RunState
    owner: UUID | None = None
    reserved_event_id: int = RESERVED_BLOCK
    next_event_id: int = 1
    text_event_id: int = 0
    saved_event_id: int = 0
    stop_requested: bool = False
    interrupted: bool = False
    driving: bool = False
    has_slot: bool = True
    ledger: Ledger | None = None
    task: asyncio.Task[None] | None = None

    @property
    def is_dirty(self) -> bool:
        return self.text_event_id > self.saved_event_id

    @property
    def shown_event_id(self) -> int:
        """The newest event that readers were shown."""
        waiting = self.ledger.queue if self.ledger is not None else ()
        return (waiting[0][0] if waiting else self.next_event_id) - 1

    def publish(self, run_events: Sequence[RunEvent]) -> None:
        """Number the events and show them to the readers. Never waits."""
        first = self.next_event_id
        for number, event in enumerate(run_events, first):
            if type(event) is TextChunk or type(event) is TextReplaced:
                self.text_event_id = number
        self.next_event_id = first + len(run_events)
        event_log().append(self.reply.run_id, first, run_events)

    def stop(self) -> None:
        """The user wants no more: end the run with what it has; on the loop only. Safe to call twice."""
        if not self.interrupted:
            self.stop_requested = True
            self.interrupt()

    def interrupt(self) -> None:
        """Ask the pump to end the run with what it has, at any moment of its life; on the loop only. Safe to call twice."""
        if not self.interrupted:
            self.interrupted = True
            if self.driving and self.task is not None:
                self.task.cancel()


_runs: dict[UUID, LiveRun] = {}
# Runs whose rows say that they are this process's, before their pumps begin; one stands here as often as it is begun.
_beginning: list[UUID] = []
# Those of them that were told to stop by then.
_stopped: set[UUID] = set()
# A graph may be done before its reader comes.
_replies: dict[UUID, Reply] = {}
MOST_REPLIES = 1_000
# Runs that paused here since somebody last asked.
_paused: set[UUID] = set()


def add(run: LiveRun) -> None:
    _runs[run.reply.run_id] = run
    event_log().open(run.reply.run_id)
    if run.reply.run_id in _stopped:
        run.stop()


def find(run_id: UUID) -> LiveRun | None:
    return _runs.get(run_id)


@contextmanager
def beginning(run_id: UUID) -> Iterator[None]:
    """While this lasts, and until what was put on the loop meanwhile is done, the run has somebody; from any thread."""
    _beginning.append(run_id)
    try:
        yield
    finally:
        loop.call(_has_begun, run_id)


def _has_begun(run_id: UUID) -> None:
    _beginning.remove(run_id)
    if run_id not in _beginning:
        _stopped.discard(run_id)


def stop_beginning(run_id: UUID) -> None:
    """Stop the run as soon as it is here, when it is about to be; on the loop."""
    if run_id in _beginning:
        _stopped.add(run_id)


def has(run_id: UUID) -> bool:
    """Whether somebody here works on the run, or is about to."""
    return run_id in _runs or run_id in _beginning


def remove(run: LiveRun) -> None:
    if _runs.get(run.reply.run_id) is run:
        del _runs[run.reply.run_id]
        event_log().close(run.reply.run_id)
        if run.ledger is not None:
            _replies[run.reply.run_id] = run.reply
            if len(_replies) > MOST_REPLIES:
                del _replies[next(iter(_replies))]


def reply_of(run_id: UUID) -> Reply | None:
    """The reply of a run that executes here, or that has just ended here."""
    run = _runs.get(run_id)
    return _replies.get(run_id) if run is None else run.reply


def note_pause(run: LiveRun) -> None:
    _paused.add(run.reply.run_id)


def take_paused() -> set[UUID]:
    """The runs that paused here since this was last asked: an answer may have come while they did."""
    taken = set(_paused)
    _paused.difference_update(taken)
    return taken


def all_runs() -> list[LiveRun]:
    return list(_runs.values())
