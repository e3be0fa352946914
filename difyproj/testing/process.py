"""Real servers for tests: ``manage.py serve`` in processes that can be stopped and killed, on an installation of their own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from difyproj.kernel import jsonio

ROOT = Path(__file__).resolve().parent.parent.parent
# Nothing of the tests' own surroundings reaches the servers.
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
START_SECONDS = 60.0
# Ports of this process: 400 of them, in one of 50 places.
FIRST_PORT, PORTS = 12_000, 400
_ports = iter(range(FIRST_PORT + os.getpid() % 50 * PORTS, FIRST_PORT + (os.getpid() % 50 + 1) * PORTS))


class NotStarted(Exception):
    """The process ended or stayed silent before it listened; the message holds the end of its log."""


@dataclass(slots=True)
class ServerProcess:
    """A started process and its children. ``started_in`` is the seconds until it listened."""

    url: str
    process: subprocess.Popen[bytes]
    log_path: Path
    started_in: float = 0.0

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def kill(self) -> float:
        """``kill -9`` for the process and its children; gives the moment (``time.monotonic``)."""
        os.killpg(self.process.pid, signal.SIGKILL)
        moment = time.monotonic()
        self.process.wait(10)
        return moment

    def terminate(self, seconds: float = 30.0) -> float:
        """SIGTERM; gives the seconds until the process had ended. Raises TimeoutExpired."""
        began = time.monotonic()
        self.process.terminate()
        self.process.wait(seconds)
        return time.monotonic() - began

    def end(self) -> None:
        """However it stands, nothing is left of it."""
        if self.process.poll() is None:
            self.kill()


def start(command: Sequence[str], port: int, environment: dict[str, str], log_path: Path) -> ServerProcess:
    """Start a server in a process group of its own and wait until it listens. Raises NotStarted."""
    began = time.monotonic()
    with log_path.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    server = ServerProcess(f"http://127.0.0.1:{port}", process, log_path)
    while not _listens(port):
        if process.poll() is not None or time.monotonic() - began > START_SECONDS:
            server.end()
            raise NotStarted(server.log[-3000:])
        time.sleep(0.01)
    server.started_in = time.monotonic() - began
    return server


def start_upstream(folder: Path) -> ServerProcess:
    """A model server whose tokens are numbered; ``bench-TOKENS-FIRSTMS-TOKENMS`` in a question chooses its answer."""
    port = free_port()
    command = (sys.executable, "-m", "bench.upstream", "--port", str(port))
    return start(command, port, _surroundings(), folder / "upstream.log")


@dataclass(slots=True)
class Installation:
    """A var folder and a database: SQLite in the folder when ``database_url`` is empty."""

    folder: Path
    upstream_url: str
    database_url: str = ""
    redis_url: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    _servers: list[ServerProcess] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        chosen = {
            "DIFYPROJ_VAR": str(self.folder / "var"),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            # One Redis serves several installations at once: each has its own jobs.
            "TASK_QUEUE": f"jobs:{self.folder}",
            "REDIS_PREFIX": f"test:{self.folder}",
            "OPENAI_API_KEY": "sk-test-0123456789abcdef",
            "OPENAI_BASE_URL": f"{self.upstream_url}/v1",
            "OPENAI_MODEL": "bench-50-5-5",
            "EGRESS_ALLOW": self.upstream_url.removeprefix("http://"),
            **self.settings,
        }
        return _surroundings() | {name: value for name, value in chosen.items() if value}

    def start(self, *words: str, port: int = 0, worker: bool = False) -> ServerProcess:
        """``manage.py serve`` with further ``words`` of its command line, with a worker only when asked. Raises NotStarted."""
        port = port or free_port()
        command = (sys.executable, "manage.py", "serve", "--port", str(port), *(() if worker else ("--no-worker",)), *words)
        server = start(command, port, self.environment(), self.folder / f"server-{port}.log")
        self._servers.append(server)
        return server

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Another command of ``manage.py``, to its end."""
        command = (sys.executable, "manage.py", *words)
        return subprocess.run(command, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=120)

    def facts(self) -> dict[str, Any]:
        """What the first start made."""
        return dict(jsonio.loads((self.folder / "var" / "bootstrap.json").read_bytes()))

    def token(self, mode: str = "chat") -> str:
        return str(next(app["token"] for app in self.facts()["apps"] if app["mode"] == mode))

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a statement gives, run outside of every server; ``%s`` stands for a value."""
        if self.database_url:
            with psycopg.connect(self.database_url, autocommit=True) as connection:
                cursor = connection.execute(sql, values)
                return cursor.fetchall() if cursor.description else []
        with closing(sqlite3.connect(self.folder / "var" / "db.sqlite3", timeout=20, isolation_level=None)) as file:
            return file.execute(sql.replace("%s", "?"), values).fetchall()

    def end(self) -> None:
        for server in self._servers:
            server.end()


@contextmanager
def installation(
    folder: Path, upstream_url: str, *, postgres: str = "", redis: str = "", migrated: str = "", **settings: str
) -> Iterator[Installation]:
    """An installation that is gone afterwards; ``postgres`` is any URL of a server on which it gets a database of its own.

    ``migrated``, a file of SQLite or a database of that server, saves the first start the migrations.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = f"process_{os.getpid()}_{uuid4().hex[:8]}"
    server = postgres.rpartition("/")[0]
    made = Installation(folder, upstream_url, f"{server}/{name}" if postgres else "", redis, settings)
    if postgres:
        _administer(server, f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{migrated}"' if migrated else ""))
    elif migrated:
        (folder / "var").mkdir()
        shutil.copyfile(migrated, folder / "var" / "db.sqlite3")
    try:
        yield made
    finally:
        made.end()
        if postgres:
            _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def free_port() -> int:
    """A TCP port that nobody listens on now, and that nobody gets by chance: each process of the suite has ports of its own,
    below those that the system hands out for outgoing connections."""
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise NotStarted("This process has used all its ports.")


def _administer(server: str, sql: str) -> None:
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(sql)


def _surroundings() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
