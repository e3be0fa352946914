"""Real transactions in tests, and a clean database after each: only the tables that have rows are emptied."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from threading import Barrier
from typing import Any, cast

from django.core.cache import caches
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from difyproj.infra import db

KEPT = frozenset({"django_migrations", "django_content_type", "auth_permission"})


def empty_tables() -> None:
    """Delete every row that a test may have committed, whichever thread committed it.

    The order does not matter: foreign keys are checked when the transaction ends.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.in_atomic_block:
        raise RuntimeError("A transaction is still open at the end of the test.")
    filled = filled_tables()
    if not filled:
        return
    statements = [f"DELETE FROM {connection.ops.quote_name(name)}" for name in filled]
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in [";".join(statements)] if connection.vendor == "postgresql" else statements:
            cursor.execute(without_checks(statement))


def filled_tables() -> list[str]:
    """The tables that have rows, but for those that the migrations fill."""
    tables, question = _question()
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(question)
        return [tables[index] for (index,) in cursor.fetchall()]


@cache
def _question() -> tuple[list[str], str]:
    connection = connections[DEFAULT_DB_ALIAS]
    tables = [name for name in connection.introspection.django_table_names(only_existing=False) if name not in KEPT]
    asked = [
        f"SELECT {index} WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})" for index, name in enumerate(tables)
    ]
    return tables, " UNION ALL ".join(asked)


def without_checks(statement: str) -> str:
    """In a transaction: foreign keys of whole tables are right before and after, so that no row is looked at for them.

    PostgreSQL lets only superusers do that; for others the statement does the same, more slowly.
    """
    return f"SET LOCAL session_replication_role = replica;{statement}" if _may_skip_checks() else statement


@cache
def _may_skip_checks() -> bool:
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        return bool(cursor.fetchone()[0])


def keep_migrated(folder: Path) -> str:
    """A copy of the database as the migrations left it: the path of a file, or a name to use as a template on PostgreSQL."""
    connection = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "sqlite":
        path = str(folder / "migrated.sqlite3")
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [path])
        return path
    name = connection.settings_dict["NAME"]
    connection.close()
    _administer(f'CREATE DATABASE "{name}_migrated" TEMPLATE "{name}"')
    return f"{name}_migrated"


def drop_migrated(copy: str) -> None:
    """Files go with their folder."""
    if connections[DEFAULT_DB_ALIAS].vendor == "postgresql":
        _administer(f'DROP DATABASE "{copy}"')


def _administer(sql: str) -> None:
    with cast(Any, connections[DEFAULT_DB_ALIAS])._nodb_cursor() as cursor:
        cursor.execute(sql)


def let_pool_settle() -> None:
    """What the pool's threads have begun is done. They live on for the next test, and so do their connections."""
    for executor in (db._pool, db._lane):
        if executor is not None:
            meeting = Barrier(executor._max_workers + 1)
            for _ in range(executor._max_workers):
                executor.submit(meeting.wait, 30)
            meeting.wait(30)


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
