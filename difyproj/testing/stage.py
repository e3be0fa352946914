"""The cast and its apps, made by the services once in a process: each test gets them back as copies of their rows.

What services do for four people and three apps is two hundred statements; copies of what they wrote are one or two dozen.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.conf import settings
from django.core.cache import caches
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from apps.services import tokens
from difyproj.infra import backends, model_port
from difyproj.infra.models import CacheVersion
from difyproj.model_runtime.credentials import CredentialPool
from difyproj.model_runtime.wires import openai_chat

from .cast import Cast, raise_curtain
from .database import empty_tables, filled_tables, without_checks
from .served import Furniture, furnish

T = TypeVar("T")

COUNTERS = CacheVersion._meta.db_table


@dataclass(frozen=True, slots=True)
class Scene(Generic[T]):
    """``copies``: the tables that have rows in it, and where those wait. ``made`` is what the services gave back."""

    copies: dict[str, str]
    made: T

    def play(self) -> T:
        """The rows stand in their tables again, with the ids that they always have."""
        connection = connections[DEFAULT_DB_ALIAS]
        statements = [self._insert(connection, table, copy) for table, copy in self.copies.items()]
        with transaction.atomic(), connection.cursor() as cursor:
            for statement in [";".join(statements)] if connection.vendor == "postgresql" else statements:
                cursor.execute(without_checks(statement))
        return deepcopy(self.made)

    def _insert(self, connection: BaseDatabaseWrapper, table: str, copy: str) -> str:
        insert = f"INSERT INTO {connection.ops.quote_name(table)} SELECT * FROM {copy}"
        # What a test had counted already goes on from there.
        return f"{insert} WHERE true ON CONFLICT DO NOTHING" if table == COUNTERS else insert


@dataclass(frozen=True, slots=True)
class Stage:
    """``cast`` is played first, ``furniture`` on top of it."""

    cast: Scene[Cast]
    furniture: Scene[Furniture]


def set_stage(upstream_url: str) -> Stage:
    """Both scenes, made in an empty database and left in one."""
    cast = _rehearse("cast", raise_curtain, {})
    furniture = _rehearse("furniture", lambda: furnish(deepcopy(cast.made), upstream_url), cast.copies)
    empty_tables()
    return Stage(cast, furniture)


def _rehearse(name: str, make: Callable[[], T], before: dict[str, str]) -> Scene[T]:
    """``make()`` and the rows that came by it. It changes no row of the scene ``before``, counters aside."""
    made = make()
    connection = connections[DEFAULT_DB_ALIAS]
    copies = {}
    with connection.cursor() as cursor:
        for number, table in enumerate(filled_tables()):
            quoted, copy, earlier = connection.ops.quote_name(table), f"scene_{name}_{number}", before.get(table)
            which = f"SELECT * FROM {quoted}"
            if earlier and table != COUNTERS:
                cursor.execute(f"SELECT * FROM {earlier} EXCEPT {which}")
                assert not cursor.fetchall(), f"{name} changes rows of {table}"
            if earlier:
                key = connection.ops.quote_name(str(connection.introspection.get_primary_key_column(cursor, table)))
                which += f" WHERE {key} NOT IN (SELECT {key} FROM {earlier})"
            cursor.execute(f"CREATE TABLE {copy} AS {which}")
            copies[table] = copy
    return Scene(copies, deepcopy(made))


def forget() -> None:
    """What the process remembers by ids and addresses, which the next test meets again as if for the first time."""
    model_port.runtime().pool = CredentialPool()
    openai_chat._without_options.clear()
    tokens._touched.clear()
    if backends.configured():
        cache: Any = caches["default"]
        client = cache.client.get_client()
        if slots := client.keys(f"{settings.REDIS_PREFIX}:slots:*"):
            client.delete(*slots)
