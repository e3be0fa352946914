"""What each store needs around it in tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from datasets.models import IndexEntry, StoredIndex
from datasets.rag.stores import Store
from datasets.stores import STORES, vector_table
from datasets.stores.copies import copies
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


@contextmanager
def default_database(other: dict[str, Any]) -> Iterator[None]:
    """The house's database is another one meanwhile, in every thread: one that has the stores' tables, and no others."""
    own, kept = connections.settings["default"], connections["default"]
    connections.settings["default"] = {**own, **other}
    del connections["default"]
    _forget()
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
        _forget()


def _forget() -> None:
    """What this process remembers of the other database."""
    vector_table.forget()
    copies.clear()


def _make_tables() -> None:
    with connections["default"].schema_editor() as editor:
        if StoredIndex._meta.db_table not in connections["default"].introspection.table_names():
            for model in (StoredIndex, IndexEntry):
                editor.create_model(model)
