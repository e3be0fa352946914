"""Bytes and rows, which no transaction holds together: what is to be removed is written down before it may be lost sight of."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from django.db import transaction

from apps.models import DoomedBytes
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock

logger = logging.getLogger(__name__)

# Far longer than any upload takes: until then the bytes of a process that died stay where they are.
GRACE: Final = timedelta(hours=1)
BATCH: Final = 100


class BytesGone(RuntimeError):
    """The row comes so late that its bytes were already given up."""


def expect(key: str) -> None:
    """Bytes will stand under ``key``; unless a row claims them in time, they will be removed."""
    DoomedBytes.objects.update_or_create(key=key, defaults={"due_at": clock.now() + GRACE})


def claim(key: str) -> None:
    """A row wants the bytes, in the transaction that is open. Raises BytesGone."""
    if not DoomedBytes.objects.filter(key=key).delete()[0]:
        raise BytesGone(key)


def remove_due() -> int:
    """Remove the bytes that are due; how many keys were. Bytes that the storage will not give up stay due."""
    removed = 0
    due = DoomedBytes.objects.filter(due_at__lte=clock.now()).order_by("due_at")
    for pk, key in due.values_list("pk", "key")[:BATCH]:
        try:
            removed += _remove(pk, key)
        except OSError:
            logger.warning("The bytes of %s could not be removed", key, exc_info=True)
            DoomedBytes.objects.filter(pk=pk).update(due_at=clock.now() + GRACE)
    return removed


def _remove(pk: int, key: str) -> int:
    """The row goes first and holds off whoever would claim the bytes; it comes back when they cannot be removed."""
    with transaction.atomic():
        taken, _ = DoomedBytes.objects.filter(pk=pk, due_at__lte=clock.now()).delete()
        if taken:
            get_storage().delete(key)
    return taken
