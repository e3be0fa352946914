"""The base of every job. Its author writes ``run``; state, errors, retries and leases belong to the engine."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Event
from typing import Any, ClassVar
from uuid import UUID

from django.db import Error as DatabaseError
from django.db.models import QuerySet

from difyproj.infra.models import Job as Row
from difyproj.kernel import clock

# Set when this process is told to end: jobs that ask go back to the queue.
stopping = Event()
# What else jobs have begun in this process is given up by these, before its lease is.
at_end: list[Callable[[], object]] = []


class Retry(Exception):
    """The job asks to be run again, ``after`` so many seconds (None: the usual pause)."""

    def __init__(self, message: str = "", *, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class Interrupted(Exception):
    """The worker ends; the job goes back to the queue, and the attempt does not count."""


class LeaseLost(Exception):
    """Another worker has taken the job over; what this one still does is thrown away."""


class Cancelled(LeaseLost):
    """Somebody cancelled the job."""


class Job(ABC):
    """One attempt at one row. ``run`` may be called again for the same row and must then come to the same end."""

    kind: ClassVar[str]
    max_attempts: ClassVar[int] = 5
    # Any other error ends the job at once: it would fail the next time too.
    retryable: ClassVar[tuple[type[Exception], ...]] = (OSError, DatabaseError)
    first_pause_seconds: ClassVar[float] = 2.0
    longest_pause_seconds: ClassVar[float] = 600.0
    progress_seconds: ClassVar[float] = 1.0

    def __init__(self, row: Row) -> None:
        self.id: UUID = row.pk
        self.target_id: str = row.target_id
        self.tenant_id: UUID | None = row.tenant_id
        self.created_by_id: UUID | None = row.created_by_id
        self.attempt: int = row.attempts
        self._process_id = row.process_id
        self._said_at = clock.monotonic()
        self._said: tuple[int, int | None] = (row.progress_done, row.progress_total)

    @abstractmethod
    def run(self) -> Any:
        """Do the work; what is returned is kept as JSON. Raises ``Retry`` or a retryable error to be run again,
        a ``DomainError`` to fail with its message."""

    def progress(self, done: int, total: int | None = None) -> None:
        """Say how far the work is; written at most once a second. Raises as ``check`` does."""
        self._said = (done, self._said[1] if total is None else total)
        if clock.monotonic() - self._said_at >= self.progress_seconds or (total is not None and done >= total):
            self._write_progress()
        elif stopping.is_set():
            raise Interrupted

    def check(self) -> None:
        """Raises Cancelled, LeaseLost or Interrupted when the work is not wanted any more; at most one query a second."""
        if stopping.is_set():
            raise Interrupted
        if clock.monotonic() - self._said_at >= self.progress_seconds:
            self._write_progress()

    def pause(self, attempts: int) -> float:
        """Seconds until the next attempt: doubled each time, and spread: what failed together does not return together."""
        usual = self.first_pause_seconds * 2.0 ** (attempts - 1)
        return min(usual, self.longest_pause_seconds) * random.uniform(0.75, 1.25)  # noqa: S311

    @property
    def said(self) -> tuple[int, int | None]:
        """How far the work is: done, of how many."""
        return self._said

    def own_row(self) -> QuerySet[Row]:
        """The row, as long as this attempt is the one that runs it."""
        return Row.objects.filter(pk=self.id, state=Row.State.RUNNING, attempts=self.attempt, process_id=self._process_id)

    def _write_progress(self) -> None:
        self._said_at = clock.monotonic()
        done, total = self._said
        if not self.own_row().update(progress_done=done, progress_total=total):
            is_cancelled = Row.objects.filter(pk=self.id, state=Row.State.CANCELLED).exists()
            raise Cancelled if is_cancelled else LeaseLost
        if stopping.is_set():
            raise Interrupted
