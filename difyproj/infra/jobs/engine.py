"""The task engine: Celery, with one task that runs the job of a row. Imported when the first job is sent, and by workers."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from celery import Celery
from django.conf import settings
from django.db import connections
from kombu.exceptions import KombuError

from difyproj.infra import broker

from .run import run_job

logger = logging.getLogger(__name__)

TASK = "difyproj.run_job"
# Who sends does not wait for a broker that is away: the sweeper sends again.
ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}
REDIS_OPTIONS = {"socket_connect_timeout": 2.0, "socket_timeout": 10.0, "socket_keepalive": True}


# Celery says at INFO that each task came and went; what a job did stands in its row.
for chatty in ("celery.worker.strategy", "celery.app.trace"):
    logging.getLogger(chatty).setLevel(logging.WARNING)


def make_app(broker_url: str, queue: str) -> Celery:
    """No fixups: Django is set up already, and connections are looked after in _run."""
    made = Celery("difyproj", fixups=[])
    made.conf.update(
        # Kombu complains of a URL without a host.
        broker_url=broker_url.replace("sqlite:///", "sqlite://localhost/", 1),
        broker_transport_options=_options(broker_url),
        broker_connection_retry_on_startup=True,
        broker_pool_limit=2,
        task_default_queue=queue,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        timezone="UTC",
    )
    return made


def _options(url: str) -> dict[str, Any]:
    if url.startswith(f"{broker.SCHEME}:"):
        return {"lease_seconds": broker.LEASE_SECONDS, **ONCE}
    return {**(REDIS_OPTIONS if url.startswith("redis") else {}), **ONCE}


app = make_app(settings.TASK_BROKER_URL, settings.TASK_QUEUE)


def send(job_id: UUID) -> bool:
    """Give a row's id to the workers. False when the broker is away."""
    try:
        app.send_task(TASK, (str(job_id),), retry=True, retry_policy=ONCE, ignore_result=True)
    except _broker_errors() as error:
        logger.warning("The broker is away; the job waits: %s", type(error).__name__, extra={"job_id": str(job_id)})
        return False
    return True


def _broker_errors() -> tuple[type[Exception], ...]:
    """What this kind of broker raises when it is away, also in the middle of a message."""
    connection = app.connection_for_write()
    return (KombuError, OSError, *connection.connection_errors, *connection.channel_errors)


def _run(job_id: str) -> None:
    """The one task. Whatever it raises is logged by Celery; the row's lease then brings the job back."""
    for connection in connections.all(initialized_only=True):
        connection.close_if_unusable_or_obsolete()
    run_job(UUID(job_id))


app.task(name=TASK)(_run)
