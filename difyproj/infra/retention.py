"""What the house forgets by itself: idempotency keys, once nobody will repeat their request any more."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from difyproj.kernel import clock

from .models import IdempotencyKey

BATCH = 1_000


def forget_old_keys() -> int:
    """Delete keys older than ``IDEMPOTENCY_KEY_HOURS``, a thousand at a time; how many were deleted."""
    before = clock.now() - timedelta(hours=settings.IDEMPOTENCY_KEY_HOURS)
    deleted = 0
    while True:
        batch = list(IdempotencyKey.objects.filter(created_at__lt=before).values_list("pk", flat=True)[:BATCH])
        deleted += IdempotencyKey.objects.filter(pk__in=batch).delete()[0] if batch else 0
        if len(batch) < BATCH:
            return deleted
