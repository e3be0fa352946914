"""What of a graph's run waits to be kept: boundaries in order, and behind them what may only be shown after them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from workflows.engine.events import (
    BOUNDARIES,
    HumanInputRequired,
    NodeFinished,
    NodeStarted,
    RunEvent,
    RunFailed,
    RunFinished,
    RunPaused,
)

from .graph_facts import GraphFacts
from .log import event_log
from .request import Reply

if TYPE_CHECKING:
    from .live import LiveRun

Numbered = tuple[int, RunEvent]
_BOUNDARIES = frozenset(BOUNDARIES)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends, what it said, and what follows in the same thread. A paused run ends too, until it is resumed."""

    event: RunFinished | RunFailed | RunPaused
    answer: str
    moment: datetime
    then: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Portion:
    """What of one run goes into the next transaction. ``owner`` is the process that has the run: only it may write."""

    reply: Reply
    owner: UUID | None
    boundaries: Sequence[Numbered]
    last_event_id: int
    ending: Ending | None = None
    ending_id: int = 0
    is_cut_off: bool = False


@dataclass(slots=True, eq=False)
class Ledger:
    """``queue`` holds what was not shown yet, ``sizes`` the bytes of each and ``size`` of all, ``under_way`` how much of it is
    being kept, ``newest`` the last boundary of that. ``asked`` holds what waits for a person, by execution; ``open_nodes``
    counts nodes that began and did not end. ``lost`` says that another process has the run now, ``broken`` that something of it
    could not be kept.
    """

    owner: UUID | None
    facts: GraphFacts
    queue: list[Numbered] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    size: int = 0
    under_way: int = 0
    newest: int = 0
    open_nodes: int = 0
    ending: Ending | None = None
    asked: dict[str, HumanInputRequired] = field(default_factory=dict)
    lost: bool = False
    broken: bool = False
    settled: asyncio.Future[bool] | None = None

    def put(self, run: LiveRun, event: RunEvent, size: int = 0) -> bool:
        """Number the event, and show it unless it has to wait; true when there is something to keep."""
        number, run.next_event_id = run.next_event_id, run.next_event_id + 1
        is_boundary = type(event) in _BOUNDARIES
        if not is_boundary and not self.queue:
            event_log().append(run.reply.run_id, number, (event,))
            return False
        self.queue.append((number, event))
        self.sizes.append(size)
        self.size += size
        self.open_nodes += (type(event) is NodeStarted) - (type(event) is NodeFinished)
        return is_boundary

    def portion(self, run: LiveRun) -> Portion:
        """Everything that waits now."""
        self.under_way = len(self.queue)
        boundaries = [entry for entry in self.queue if type(entry[1]) in _BOUNDARIES]
        self.newest = boundaries[-1][0] if boundaries else self.newest
        return Portion(
            run.reply,
            self.owner,
            boundaries,
            self.newest,
            self.ending,
            run.next_event_id,
            is_cut_off=self.open_nodes > 0,
        )

    def kept(self, run: LiveRun) -> None:
        """What was under way is kept: show it, and what stood behind it up to the next boundary."""
        upto = self.under_way
        while upto < len(self.queue) and type(self.queue[upto][1]) not in _BOUNDARIES:
            upto += 1
        shown = self._take(upto)
        if shown:
            event_log().append(run.reply.run_id, shown[0][0], [event for _, event in shown])

    def give_up(self, outcome: bool | Exception) -> None:
        """What was under way will not be kept, and is shown to nobody."""
        self._take(self.under_way)
        if outcome is False:
            self.lost = True
        else:
            self.broken = True

    def _take(self, upto: int) -> list[Numbered]:
        """The first of what waits, which waits no more."""
        taken, self.queue = self.queue[:upto], self.queue[upto:]
        self.size -= sum(self.sizes[:upto])
        self.sizes = self.sizes[upto:]
        self.under_way = 0
        return taken

    def settle(self, outcome: bool | BaseException) -> None:
        """Tell who waits for the end: whether it was kept, or why not."""
        if self.settled is None or self.settled.done():
            return
        if isinstance(outcome, BaseException):
            self.settled.set_exception(outcome)
        else:
            self.settled.set_result(outcome)
