"""Searches that read every text there is: on PostgreSQL, which serves everybody else, they take so long only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import OperationalError, connection, transaction

from difyproj.kernel.errors import InvalidParam

CANCELLED = "57014"
"""PostgreSQL's code for a statement that took longer than it may."""


class SearchTooSlow(InvalidParam):
    default_message = "The search takes too long. Please choose a shorter span of time, or another keyword."


@contextmanager
def limited() -> Iterator[None]:
    """What is asked inside may take ``LOG_SEARCH_SECONDS``. Raises SearchTooSlow."""
    if connection.vendor != "postgresql":
        yield
        return
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                milliseconds = max(1, round(settings.LOG_SEARCH_SECONDS * 1000))
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            yield
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != CANCELLED:
            raise
        raise SearchTooSlow(params="keyword") from error
