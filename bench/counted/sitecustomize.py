"""Loaded by Python itself when this folder is on PYTHONPATH: writes every SQLite statement to the file BENCH_STATEMENTS."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from sqlite3 import dbapi2
from typing import Any

_LONGEST = 4000
_connect: Callable[..., sqlite3.Connection] = dbapi2.connect


def _connect_traced(*args: Any, **kwargs: Any) -> sqlite3.Connection:
    connection = _connect(*args, **kwargs)
    name = f"{os.getpid()}-{id(connection)}"

    def write(statement: str) -> None:
        os.write(_file, f"{name}\t{' '.join(statement.split())[:_LONGEST]}\n".encode())

    connection.set_trace_callback(write)
    return connection


if path := os.environ.get("BENCH_STATEMENTS"):
    _file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for module in (sqlite3, dbapi2):
        vars(module).update(connect=_connect_traced)
