"""What the house forgets by itself, once nobody will ask for it any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import QuerySet

from difyproj.kernel import clock

from .models import IdempotencyKey, Job, OutgoingMail

BATCH = 1_000
UNSENT_MAIL_DAYS = 3


def forget_old_keys() -> int:
    """Idempotency keys older than ``IDEMPOTENCY_KEY_HOURS``."""
    return _forget(IdempotencyKey.objects.filter(created_at__lt=_before(hours=settings.IDEMPOTENCY_KEY_HOURS)))


def forget_old_jobs() -> int:
    """Jobs that ended more than ``JOB_RETENTION_DAYS`` ago."""
    return _forget(Job.objects.filter(finished_at__lt=_before(days=settings.JOB_RETENTION_DAYS)))


def forget_unsent_mail() -> int:
    """Messages that could not be sent: codes in them have expired long ago."""
    return _forget(OutgoingMail.objects.filter(created_at__lt=_before(days=UNSENT_MAIL_DAYS)))


def forget_old_sessions() -> int:
    """Sessions of the admin that have expired."""
    return _forget(Session.objects.filter(expire_date__lt=clock.now()))


FORGET: dict[str, Callable[[], int]] = {
    "idempotency_keys": forget_old_keys,
    "jobs": forget_old_jobs,
    "unsent_mail": forget_unsent_mail,
    "sessions": forget_old_sessions,
}


def _before(**ago: float) -> Any:
    return clock.now() - timedelta(**ago)


def _forget(rows: QuerySet[Any]) -> int:
    """Delete the rows, a thousand at a time; how many were deleted."""
    deleted = 0
    while True:
        batch = list(rows.values_list("pk", flat=True)[:BATCH])
        deleted += rows.model._default_manager.filter(pk__in=batch).delete()[0] if batch else 0
        if len(batch) < BATCH:
            return deleted
