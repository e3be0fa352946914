"""Fixtures of the apps room: installations whose servers are processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from difyproj.testing.process import Installation, ServerProcess, installation, start_upstream
from difyproj.testing.served import Served

from .console_crew import Crew, gather


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A model server whose tokens are numbered."""
    upstream = start_upstream(tmp_path_factory.mktemp("upstream"))
    yield upstream
    upstream.end()


@pytest.fixture
def installed(tmp_path: Path, numbered: ServerProcess, django_db_setup: str) -> Iterator[Installation]:
    """An installation on the kind of database that this run of the suite uses, migrated but not started yet."""
    kind = {"postgres": settings.DATABASE_URL, "redis": settings.REDIS_URL, "migrated": django_db_setup}
    with installation(tmp_path, numbered.url, **kind) as made:
        yield made


@pytest.fixture
def untouched(tmp_path: Path, numbered: ServerProcess) -> Iterator[Installation]:
    """One with nothing in its database, not even a table."""
    with installation(tmp_path, numbered.url, postgres=settings.DATABASE_URL, redis=settings.REDIS_URL) as made:
        yield made


@pytest.fixture
def shared(installed: Installation) -> Installation:
    """An installation that several processes may serve at once."""
    if not (installed.database_url and installed.redis_url):
        pytest.skip("needs PostgreSQL and Redis: set DATABASE_URL and REDIS_URL")
    return installed


@pytest.fixture
async def crew(house: Served) -> Crew:
    return await gather(house)
