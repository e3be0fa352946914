"""The place that a run holds among those of its app. It is the run's and its process's: who lost the run gives nothing back."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from difyproj.infra.backends import get_slots

from .live import LiveRun


def slot_key(app_id: UUID) -> str:
    return f"app:{app_id}"


def holder(run_id: UUID, owner: UUID | None) -> str:
    """``owner`` is the process that has the run; None while it waits for one."""
    return f"{run_id}:{owner or ''}"


def take(app_id: UUID, run_id: UUID, owner: UUID | None, *, limit: int = 0) -> bool:
    """False when ``limit`` runs are under way; a run that goes on has its place whatever the limit says."""
    return get_slots().take(slot_key(app_id), limit, holder(run_id, owner))


def give(app_id: UUID, run_id: UUID, owner: UUID | None) -> None:
    """In a thread: Redis may have to be asked."""
    get_slots().give(slot_key(app_id), holder(run_id, owner))


def take_again(run: LiveRun) -> None:
    """Of a run that goes on where it has just paused."""
    take(run.reply.app_id, run.reply.run_id, run.owner)


def give_back(run: LiveRun) -> None:
    """It is free before the end is shown, so that who sees the end may ask again."""
    give(run.reply.app_id, run.reply.run_id, run.owner)
    run.has_slot = False


def renew(runs: Iterable[LiveRun]) -> None:
    by_key: dict[str, list[str]] = {}
    for run in runs:
        by_key.setdefault(slot_key(run.reply.app_id), []).append(holder(run.reply.run_id, run.owner))
    for key, holders in by_key.items():
        get_slots().renew(key, holders)
