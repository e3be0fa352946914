"""A kombu transport over one SQLite file, for an installation without Redis: the same task engine, no server to run.

A message that was handed out is not gone: it has a lease, which its worker renews as long as it lives. When the worker is
killed, the lease runs out and the message is handed out again.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from queue import Empty
from threading import Event, Lock, Thread
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.utils.json import dumps, loads

SCHEME = "sqlite"
LEASE_SECONDS = 30.0
POLL_SECONDS = 0.1
# How long a worker that is told to end may not notice it.
LONGEST_DRAIN_SECONDS = 0.5
BUSY_SECONDS = 20.0

TABLE = """
    PRAGMA journal_mode=WAL;
    PRAGMA synchronous=NORMAL;
    CREATE TABLE IF NOT EXISTS message (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        tag TEXT NOT NULL UNIQUE,
        queue TEXT NOT NULL,
        payload TEXT NOT NULL,
        holder TEXT NOT NULL DEFAULT '',
        visible_at REAL NOT NULL
    );
    CREATE INDEX IF NOT EXISTS message_next ON message (queue, visible_at);
"""
NEXT = "SELECT number FROM message WHERE queue = ? AND visible_at <= ? ORDER BY number LIMIT 1"
TAKE = "UPDATE message SET holder = ?, visible_at = ? WHERE number = ? AND visible_at <= ? RETURNING payload"


class QoS(virtual.QoS):
    """Acknowledged is deleted; given back is visible at once."""

    def ack(self, delivery_tag: str) -> None:
        self.channel.finish(delivery_tag)
        super().ack(delivery_tag)
        if self.channel.connection is not None:
            self.channel.connection.finished.set()

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if requeue:
            self.channel.give_back(delivery_tag)
        else:
            self.channel.finish(delivery_tag)
        super().ack(delivery_tag)


class Channel(virtual.Channel):
    """``holder`` names this channel on the messages that it was given; only they are renewed, deleted and given back by it."""

    QoS = QoS
    do_restore = True

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        super().__init__(connection, **kwargs)
        self.lease_seconds = float(connection.client.transport_options.get("lease_seconds", LEASE_SECONDS))
        self._holder = uuid4().hex
        self._lock = Lock()
        self._file = _open(Path(connection.client.virtual_host))
        self._closing = Event()
        self._renewer: Thread | None = None

    def close(self) -> None:
        if not self.closed:
            self._closing.set()
            super().close()
            with self._lock:
                self._file.close()

    def finish(self, tag: str) -> None:
        self._execute("DELETE FROM message WHERE tag = ? AND holder = ?", tag, self._holder)

    def give_back(self, tag: str) -> None:
        self._execute("UPDATE message SET holder = '', visible_at = 0 WHERE tag = ? AND holder = ?", tag, self._holder)

    def renew(self) -> None:
        """Everything this channel was given and has not finished stays its own for another lease."""
        self._execute("UPDATE message SET visible_at = ? WHERE holder = ?", time.time() + self.lease_seconds, self._holder)

    def _put(self, queue: str, message: dict[str, Any], **kwargs: Any) -> None:
        tag = message["properties"]["delivery_tag"]
        self._execute("INSERT INTO message (tag, queue, payload, visible_at) VALUES (?, ?, ?, 0)", tag, queue, dumps(message))

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        now = time.time()
        for (number,) in self._execute(NEXT, queue, now):
            for (payload,) in self._execute(TAKE, self._holder, now + self.lease_seconds, number, now):
                self._keep_renewing()
                return loads(payload)
        raise Empty

    def _restore(self, message: Any) -> None:
        self.give_back(message.delivery_tag)

    def _size(self, queue: str) -> int:
        return int(self._execute("SELECT count(*) FROM message WHERE queue = ?", queue)[0][0])

    def _purge(self, queue: str) -> int:
        return len(self._execute("DELETE FROM message WHERE queue = ? RETURNING number", queue))

    def _delete(self, queue: str, *args: Any, **kwargs: Any) -> None:
        self._purge(queue)

    def _has_queue(self, queue: str, **kwargs: Any) -> bool:
        return True

    def _execute(self, sql: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._file.execute(sql, values).fetchall()

    def _keep_renewing(self) -> None:
        if self._renewer is None:
            self._renewer = Thread(target=self._renew_on, name="broker-lease", daemon=True)
            self._renewer.start()

    def _renew_on(self) -> None:
        while not self._closing.wait(self.lease_seconds / 3):
            try:
                self.renew()
            except sqlite3.Error:  # Busy, or closed this moment: two more tries before the lease ends.
                continue


class Transport(virtual.Transport):
    """``sqlite:////absolute/path``."""

    Channel = Channel
    driver_type = driver_name = SCHEME
    connection_errors: tuple[Any, ...] = (sqlite3.Error, OSError)
    channel_errors: tuple[Any, ...] = (sqlite3.Error,)

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        self.finished = Event()

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """One message. Looks again when a job has ended, since there is room for another then, else ten times a second."""
        channels: Any = self.cycle
        deadline = time.monotonic() + min(timeout or LONGEST_DRAIN_SECONDS, LONGEST_DRAIN_SECONDS)
        while True:
            self.finished.clear()
            try:
                channels.get(self._deliver)
            except Empty:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError from None
                self.finished.wait(min(POLL_SECONDS, left))
            else:
                return

    def driver_version(self) -> str:
        return sqlite3.sqlite_version


def _open(path: Path) -> sqlite3.Connection:
    """Channels are used by several threads, one at a time."""
    file = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    file.executescript(TABLE)
    return file


TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
