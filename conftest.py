"""Fixtures of the whole suite: a database with real transactions, the cast, no network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import hypothesis
import pytest
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.test.utils import setup_databases, teardown_databases
from pytest_django.plugin import DjangoDbBlocker

from apps.generation import background
from difyproj.asgi import application
from difyproj.infra import backends
from difyproj.infra import cache as row_caches
from difyproj.infra import db as database_pool
from difyproj.testing.cast import Cast, Person, raise_curtain
from difyproj.testing.database import close_other_connections, empty_tables, forget_counters
from difyproj.testing.network import network_off
from difyproj.testing.served import Served, served

# A machine that does other things at the same time is not a slow example.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with network_off(frozenset(filter(None, [urlsplit(settings.REDIS_URL).hostname]))):
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker, django_db_modify_db_settings: None
) -> Iterator[None]:
    """The test database, made once; when the run ends, no thread holds it any more, so that it can be dropped."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={DEFAULT_DB_ALIAS: None}, serialized_aliases=set())
    yield
    database_pool.shutdown()
    with django_db_blocker.unblock():
        close_other_connections()
        teardown_databases(made, verbosity=0)


@pytest.fixture
def house_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database whose transactions are real, so that other threads see the rows; emptied after the test."""
    with django_db_blocker.unblock():
        yield
        empty_tables()
    row_caches.reset_all()
    forget_counters()


@pytest.fixture
def cast(house_db: None) -> Cast:
    """Alice, Bob and Norma of Acme, Eve of Evil Corp."""
    return raise_curtain()


@pytest.fixture
def alice(cast: Cast) -> Person:
    return cast.alice


@pytest.fixture
def bob(cast: Cast) -> Person:
    return cast.bob


@pytest.fixture
def norma(cast: Cast) -> Person:
    return cast.norma


@pytest.fixture
def eve(cast: Cast) -> Person:
    return cast.eve


@pytest.fixture
async def house(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """Alice's apps, served on a loopback socket, with a scriptable upstream behind them."""
    backends.reset()
    monkeypatch.setattr(background, "DRAIN_SECONDS", 0.2)
    async with served(application, cast) as running:
        yield running
