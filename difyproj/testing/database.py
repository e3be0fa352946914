"""Real transactions in tests, and a clean database after each: only the tables that have rows are emptied."""

from __future__ import annotations

from typing import Any

from django.core.cache import caches
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

KEPT = frozenset({"django_migrations", "django_content_type", "auth_permission"})


def empty_tables() -> None:
    """Delete every row that a test may have committed, whichever thread committed it.

    The order does not matter: foreign keys are checked when the transaction ends.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.in_atomic_block:
        raise RuntimeError("A transaction is still open at the end of the test.")
    tables = [name for name in connection.introspection.django_table_names(only_existing=False) if name not in KEPT]
    filled = _filled(connection, tables)
    if not filled:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        for name in filled:
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")


def _filled(connection: BaseDatabaseWrapper, tables: list[str]) -> list[str]:
    questions = [
        f"SELECT {index} WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})" for index, name in enumerate(tables)
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(questions))
        return [tables[index] for (index,) in cursor.fetchall()]


def close_other_connections() -> None:
    """PostgreSQL drops a test database only when nobody is connected to it; threads that have ended may still be."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


def forget_counters() -> None:
    """Rates begin anew. In Redis only what stands under this process's own prefix goes."""
    cache: Any = caches["default"]
    if hasattr(cache, "delete_pattern"):
        cache.delete_pattern("*")
    else:
        cache.clear()
