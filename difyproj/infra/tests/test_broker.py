"""The SQLite transport: a message belongs to one channel while its lease is renewed, and is kept until it is done."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from celery import Celery

from difyproj.infra import broker
from difyproj.infra.jobs import engine

QUEUE = "tests"


@pytest.fixture
def url(tmp_path: Path) -> str:
    folder = tmp_path / "with space"
    folder.mkdir()
    return f"sqlite:///{str(folder).replace(' ', '%20')}/broker.sqlite3"


@pytest.fixture
def app(url: str) -> Celery:
    return engine.make_app(url, QUEUE)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The broker's clock, which only goes when it is told to; leases are renewed by hand."""
    told = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(broker, "time", SimpleNamespace(time=lambda: told.now))
    monkeypatch.setattr(broker.Channel, "_keep_renewing", lambda self: None)
    return told


@pytest.fixture
def channels(app: Celery) -> Iterator[Callable[[], Any]]:
    """Opens a channel on a connection of its own, as another process would."""
    connections = []

    def channel() -> Any:
        connections.append(app.connection_for_read())
        return connections[-1].channel()

    yield channel
    for connection in connections:
        connection.release()


def send(app: Celery, number: int = 1) -> None:
    with app.connection_for_write() as connection:
        for _ in range(number):
            app.send_task(engine.TASK, (str(uuid4()),), connection=connection)


def kept(app: Celery) -> int:
    with app.connection_for_read() as connection:
        return int(connection.channel()._size(QUEUE))


def test_messages_come_in_their_order_and_each_to_one_channel(app: Celery, channels: Callable[[], Any]) -> None:
    send(app, 3)
    one, two = channels(), channels()
    taken = [channel.basic_get(QUEUE) for channel in (one, two, one, two)]
    assert taken[3] is None
    assert len({message.delivery_tag for message in taken[:3]}) == 3
    for message in taken[:3]:
        message.ack()
    assert kept(app) == 0


def test_a_message_whose_channel_is_silent_is_handed_out_again_after_its_lease(
    app: Celery, channels: Callable[[], Any], clock: SimpleNamespace
) -> None:
    send(app)
    dead, heir = channels(), channels()
    lost = dead.basic_get(QUEUE)
    clock.now += broker.LEASE_SECONDS - 1
    assert heir.basic_get(QUEUE) is None
    clock.now += 2
    found = heir.basic_get(QUEUE)
    assert found.delivery_tag == lost.delivery_tag
    lost.ack()
    assert kept(app) == 1, "The message is no longer the first channel's to finish."
    found.ack()
    assert kept(app) == 0


def test_a_renewed_message_is_not_handed_out_again_however_long_it_takes(
    app: Celery, channels: Callable[[], Any], clock: SimpleNamespace
) -> None:
    send(app)
    busy, other = channels(), channels()
    message = busy.basic_get(QUEUE)
    for _ in range(20):
        clock.now += broker.LEASE_SECONDS / 3
        busy.renew()
        assert other.basic_get(QUEUE) is None
    message.ack()
    assert kept(app) == 0


def test_a_channel_renews_by_itself_while_it_works(app: Celery, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(broker, "LEASE_SECONDS", 0.3)
    quick = engine.make_app(url, QUEUE)
    send(quick)
    with quick.connection_for_read() as connection:
        connection.channel().basic_get(QUEUE)
        path = Path(connection.virtual_host)
        first = _visible_at(path)
        deadline = time.monotonic() + 10
        while _visible_at(path) <= first:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _visible_at(path: Path) -> float:
    with sqlite3.connect(path) as file:
        return float(file.execute("SELECT visible_at FROM message").fetchone()[0])


def test_what_is_given_back_is_there_at_once(app: Celery, channels: Callable[[], Any], clock: SimpleNamespace) -> None:
    send(app, 2)
    one, two = channels(), channels()
    one.basic_get(QUEUE).requeue()
    assert two.basic_get(QUEUE) is not None
    one.basic_get(QUEUE)
    one.close()
    assert two.basic_get(QUEUE) is not None, "A channel that closes leaves nothing behind."


def test_a_refused_message_is_gone(app: Celery, channels: Callable[[], Any]) -> None:
    send(app)
    channels().basic_get(QUEUE).reject()
    assert kept(app) == 0


def test_a_queue_can_be_emptied_and_others_are_left_alone(url: str, app: Celery, channels: Callable[[], Any]) -> None:
    other = engine.make_app(url, "other")
    send(app, 2)
    send(other)
    channel = channels()
    assert channel.basic_get("other") is not None
    assert channel.queue_purge(QUEUE) == 2
    assert (kept(app), channel._size("other")) == (0, 1)


def test_a_broker_that_cannot_be_reached_is_told_by_an_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(engine, "app", engine.make_app("sqlite:////nowhere/at/all/broker.sqlite3", QUEUE))
    assert engine.send(uuid4()) is False
    monkeypatch.setattr(engine, "app", engine.make_app("redis://127.0.0.1:1/0", QUEUE))
    assert engine.send(uuid4()) is False
    assert "The broker is away" in caplog.text
