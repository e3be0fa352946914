"""Writes whose SQL is made once: for every question the ORM's compiler would cost more than the database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

import msgspec
from django.db import connection, models

from difyproj.kernel import jsonio

Column: TypeAlias = "models.Field[Any, Any]"
Names: TypeAlias = tuple[str, ...]

_json = msgspec.json.Encoder(enc_hook=str).encode


def insert(*rows: models.Model) -> None:
    """``row.save(force_insert=True)`` for rows whose keys are set, in this order: same values, no signals."""
    statements = [_prepared(row) for row in rows]
    with connection.cursor() as cursor:
        if _takes_several():
            statements = [("; ".join(sql for sql, _ in statements), [value for _, values in statements for value in values])]
        for sql, values in statements:
            cursor.execute(sql, values)
    for row in rows:
        row._state.adding = False
        row._state.db = connection.alias


def update(model: type[models.Model], key: Any, values: Mapping[str, Any], **where: Any) -> int:
    """``model.objects.filter(pk=key, **where).update(**values)`` by plain values; how many rows it met."""
    sql, columns = _update(model, tuple(values), tuple(where), connection.vendor)
    given = (*values.values(), key, *where.values())
    with connection.cursor() as cursor:
        cursor.execute(sql, [field.get_db_prep_save(value, connection) for field, value in zip(columns, given, strict=True)])
        return int(cursor.rowcount)


def insert_many(rows: Sequence[models.Model]) -> None:
    """``insert`` for rows of one kind, in one statement; a row that is there already stays as it is."""
    if not rows:
        return
    sql, columns = _insert(type(rows[0]), connection.vendor, own_key=False)
    with connection.cursor() as cursor:
        values = [[_kept(field, field.pre_save(row, add=True)) for field in columns] for row in rows]
        cursor.executemany(f"{sql} ON CONFLICT DO NOTHING", values)


def update_many(model: type[models.Model], changes: Sequence[tuple[Any, Mapping[str, Any]]], **where: Any) -> int:
    """``update`` of many rows in one statement, each by its own key and values of the same names; how many rows it met."""
    if not changes:
        return 0
    sql, columns = _update(model, tuple(changes[0][1]), tuple(where), connection.vendor)
    with connection.cursor() as cursor:
        cursor.executemany(
            sql,
            [
                [_kept(field, value) for field, value in zip(columns, (*values.values(), key, *where.values()), strict=True)]
                for key, values in changes
            ],
        )
        return int(cursor.rowcount)


def storable(text: str) -> str:
    """PostgreSQL keeps every character but NUL."""
    return text.replace("\0", "")


def json_text(value: Any) -> str:
    """JSON as every database takes it (``jsonio.storable``); what is no JSON stands as text."""
    try:
        text = _json(value).decode()
    except (UnicodeEncodeError, OverflowError, RecursionError):
        return json.dumps(jsonio.storable(value), ensure_ascii=False, default=str)
    return text if "\\u0000" not in text else _json(jsonio.storable(msgspec.json.decode(text))).decode()


def _kept(field: Column, value: Any) -> Any:
    if isinstance(field, models.JSONField):
        return None if value is None else json_text(value)
    return field.get_db_prep_save(value, connection)


def _takes_several() -> bool:
    """Whether several statements go in one round trip: PostgreSQL takes them when their values stand in the text."""
    return connection.vendor == "postgresql" and not connection.settings_dict["OPTIONS"].get("server_side_binding")


def _prepared(row: models.Model) -> tuple[str, list[Any]]:
    sql, columns = _insert(type(row), connection.vendor)
    return sql, [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in columns]


@cache
def _insert(model: type[models.Model], vendor: str, *, own_key: bool = True) -> tuple[str, tuple[Column, ...]]:
    """``vendor`` only tells the quoting of one database from another's; without ``own_key`` the database counts keys."""
    columns = tuple(field for field in model._meta.concrete_fields if own_key or not isinstance(field, models.AutoField))
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in columns)
    table, places = connection.ops.quote_name(model._meta.db_table), ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({places})", columns  # noqa: S608  names of our own models


@cache
def _update(model: type[models.Model], names: Names, where: Names, vendor: str) -> tuple[str, tuple[Column, ...]]:
    by_name: dict[str, Column] = {"pk": model._meta.pk, **{field.name: field for field in model._meta.concrete_fields}}
    columns = tuple(by_name[name] for name in (*names, "pk", *where))
    parts = [f"{connection.ops.quote_name(str(field.column))} = %s" for field in columns]
    table, sets, conditions = connection.ops.quote_name(model._meta.db_table), parts[: len(names)], parts[len(names) :]
    return f"UPDATE {table} SET {', '.join(sets)} WHERE {' AND '.join(conditions)}", columns  # noqa: S608
