"""INSERTs whose SQL is made once per model: for every question the ORM's compiler would cost more than the database."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

from django.db import connection, models

Column: TypeAlias = "models.Field[Any, Any]"


def insert(row: models.Model) -> None:
    """``row.save(force_insert=True)`` for a row whose key is set: same values, no signals."""
    sql, columns = _statement(type(row), connection.vendor)
    values = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in columns]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
    row._state.adding = False
    row._state.db = connection.alias


@cache
def _statement(model: type[models.Model], vendor: str) -> tuple[str, tuple[Column, ...]]:
    """``vendor`` only tells the quoting of one kind of database from another's."""
    columns = tuple(model._meta.concrete_fields)
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in columns)
    table, places = connection.ops.quote_name(model._meta.db_table), ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({places})", columns  # noqa: S608  names of our own models
