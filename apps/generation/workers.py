"""Runs in a worker: what a run needs of its process starts with the first one, and ends with the worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import replace
from threading import Lock
from typing import Any, Final, TypeVar
from uuid import UUID

from django.conf import settings

from apps.models import App, Run, RunStatus
from difyproj.infra import jobs, leases, loop
from difyproj.kernel.principal import Principal

from . import graph_resume, live, service
from .background import Background
from .request import GenerateRequest, Once

LOOK_SECONDS: Final = 0.5

T = TypeVar("T")

_lock = Lock()
_background: Background | None = None


def execute(run_id: UUID) -> bool:
    """Begin, or go on with, a run that waits for a worker: this one drives it from now on, while the job that told of it ends.
    False when another process has it, or it has ended. In a job's thread."""
    _start()
    return graph_resume.take(run_id)


def run_to_end(principal: Principal, app: App, request: GenerateRequest, *, once: Once | None = None) -> UUID:
    """``generate``, and come back once the run has ended or paused: how jobs run graphs. Sync, from a job's thread.

    Where processes share no store, a web process executes the run, so that its readers see it.
    """
    if leases.role() == leases.WORKER:
        _start()
    run_id = service.generate(principal, app, replace(request, in_background=True), once=once)
    while Run.objects.filter(pk=run_id, status=RunStatus.RUNNING).exists():
        if not _on_loop(_until_settled(run_id)):
            time.sleep(LOOK_SECONDS)
    return run_id


async def _until_settled(run_id: UUID) -> bool:
    """Wait for a run of this process; false when it is another's. Its start was put on the loop before this was."""
    run = live.find(run_id)
    if run is None or run.task is None:
        return False
    await asyncio.wait((run.task,))
    return True


def _start() -> None:
    global _background
    with _lock:
        if _background is None and leases.role() == leases.WORKER and settings.BACKGROUND_RUNS == "worker":
            made = Background(leases.WORKER)
            _on_loop(made.start())
            jobs.at_end.append(_stop)
            _background = made


def _stop() -> None:
    if _background is not None:
        _on_loop(_background.stop())


def _on_loop(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run_coroutine_threadsafe(work, loop.current()).result()
