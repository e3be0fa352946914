"""Fixtures of the whole suite: a database with real transactions, the cast, no network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import hypothesis
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.test.utils import setup_databases, teardown_databases
from pytest_django.plugin import DjangoDbBlocker

from apps.generation import background
from difyproj.asgi import application
from difyproj.infra import backends
from difyproj.infra import cache as row_caches
from difyproj.infra import db as database_pool
from difyproj.testing import legs
from difyproj.testing.cast import Cast, Person
from difyproj.testing.database import close_other_connections, drop_migrated, empty_tables, forget_counters, keep_migrated
from difyproj.testing.network import kept_port, network_off
from difyproj.testing.served import Served, served
from difyproj.testing.stage import Stage, forget, set_stage
from difyproj.testing.upstream import FakeUpstream

# A machine that does other things at the same time is not a slow example.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--leg", choices=legs.LEGS, default="all", help="leave out what has nothing new to say on this leg")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    legs.choose(config, items)


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with network_off(frozenset(filter(None, [urlsplit(settings.REDIS_URL).hostname]))):
        yield


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_modify_db_settings: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The test database, made once; when the run ends, no thread holds it any more, so that it can be dropped.

    Gives an empty copy of it, which real servers start on.
    """
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={DEFAULT_DB_ALIAS: None}, serialized_aliases=set())
        empty_copy = keep_migrated(tmp_path_factory.mktemp("migrated"))
    yield empty_copy
    database_pool.shutdown()
    with django_db_blocker.unblock():
        close_other_connections()
        drop_migrated(empty_copy)
        teardown_databases(made, verbosity=0)


@pytest.fixture
def house_db(django_db_setup: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database whose transactions are real, so that other threads see the rows; emptied after the test."""
    with django_db_blocker.unblock():
        yield
        empty_tables()
    row_caches.reset_all()
    forget_counters()
    forget()


@pytest.fixture(scope="session")
def upstream_port() -> Iterator[int]:
    """Where every house finds its model server."""
    with kept_port() as port:
        yield port


@pytest.fixture(scope="session")
def stage(django_db_setup: str, django_db_blocker: DjangoDbBlocker, upstream_port: int) -> Stage:
    with django_db_blocker.unblock():
        return set_stage(f"http://127.0.0.1:{upstream_port}")


@pytest.fixture
def cast(stage: Stage, house_db: None) -> Cast:
    """Alice, Bob and Norma of Acme, Eve of Evil Corp."""
    return stage.cast.play()


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
async def house(cast: Cast, stage: Stage, upstream_port: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """Alice's apps, served on a loopback socket, with a scriptable upstream behind them."""
    backends.reset()
    monkeypatch.setattr(background, "DRAIN_SECONDS", 0.2)
    furniture = await sync_to_async(stage.furniture.play)()
    async with served(application, cast, FakeUpstream(port=upstream_port), furniture) as running:
        yield running
