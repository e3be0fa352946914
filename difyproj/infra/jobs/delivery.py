"""Tell the task engine that a row waits: from a thread, so that no request ever waits for the broker.

What is not told (the broker is away, the process ends, too many wait) is found by the sweeper of a worker.
"""

from __future__ import annotations

from importlib import import_module
from queue import Empty, Full, Queue
from threading import Lock, Thread
from uuid import UUID

from django.conf import settings

WAITING = 10_000
# The engine costs a start 50 ms and 6 MB: it is imported with the first job.
ENGINE = "difyproj.infra.jobs.engine"
IDLE_SECONDS = 30.0

_lock = Lock()
_waiting: Queue[UUID] = Queue(WAITING)
_teller: Thread | None = None


def send_later(job_id: UUID) -> None:
    global _teller
    if not settings.TASK_BROKER_URL:
        return
    with _lock:
        try:
            _waiting.put_nowait(job_id)
        except Full:
            return
        if _teller is None or not _teller.is_alive():
            _teller = Thread(target=_tell, name="job-delivery", daemon=True)
            _teller.start()


def send(job_id: UUID) -> bool:
    """Now, in this thread. False when the broker is away, or there is none."""
    return bool(settings.TASK_BROKER_URL) and bool(import_module(ENGINE).send(job_id))


def _tell() -> None:
    global _teller
    while True:
        try:
            job_id = _waiting.get(timeout=IDLE_SECONDS)
        except Empty:
            with _lock:
                if _waiting.empty():
                    _teller = None
                    return
            continue
        send(job_id)
