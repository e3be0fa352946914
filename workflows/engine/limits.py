"""What a run may use at most, and the error with which it ends when it asks for more."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from difyproj.kernel.errors import InvalidParam

_SCALARS: Final = frozenset({int, float, bool, type(None)})


class LimitExceeded(InvalidParam):
    """Ends the whole run: no retry, no error strategy and no container takes care of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one run.

    ``steps`` counts the nodes of one walk, that is of the graph itself or of one round of a container; ``total_steps`` all
    of them. ``seconds`` is real time since the run began in this process. ``width`` nodes run at the same time in one walk,
    further ones wait. ``depth`` is how deep workflows may call each other, ``rounds`` how often a loop may go round.
    ``output_size`` bounds what one node gives out, ``variable_size`` one assigned variable, both in characters.
    """

    steps: int = 500
    total_steps: int = 100_000
    seconds: float = 1_200.0
    width: int = 50
    depth: int = 5
    rounds: int = 100
    output_size: int = 10_000_000
    variable_size: int = 200 * 1024


class Deadline:
    """Interrupts whoever waits while it is ``inside`` the walk, once the time is over; work outside of it is left alone.

    The walk is a generator, and the task that drives it does other things between two events: ``asyncio.timeout`` would
    interrupt those as well.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.inside = False
        self._rang = False
        self.passed = False
        self._task: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Time runs from here; no ``seconds`` mean that there is no end."""
        self.inside = True
        if self._seconds > 0:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ring)
            self._task = asyncio.current_task()

    def stop(self) -> None:
        """No more interruptions; one that got lost on its way is taken back."""
        if self._timer is not None:
            self._timer.cancel()
        self.took()

    def took(self) -> bool:
        """True when the cancellation that just arrived was this deadline's own; it is then taken back."""
        if not self._rang or self._task is None:
            return False
        self._rang = False
        return self._task.uncancel() == 0

    def error(self) -> LimitExceeded:
        return LimitExceeded(f"The run took longer than {self._seconds:g} seconds.")

    def _ring(self) -> None:
        self.passed = True
        if self.inside and self._task is not None:
            self._rang = True
            self._task.cancel()


def is_larger(value: Any, most: int) -> bool:
    """True when the texts in ``value`` have more than ``most`` characters together; every other part counts as one."""
    waiting = [value]
    left = most
    while waiting:
        item = waiting.pop()
        kind = type(item)
        if kind in _SCALARS:
            continue
        if kind is str or kind is bytes:
            left -= len(item)
        elif kind is dict or isinstance(item, Mapping):
            left -= len(item)
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            left -= len(item)
            waiting.extend(item)
        if left < 0:
            return True
    return False
