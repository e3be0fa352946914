"""Starts and ends the processes of a bench run: the upstream, the yardsticks, the server under test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parent.parent
_PROVIDER_KEYS = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "OLLAMA_", "AZURE_OPENAI_", "COHERE_", "JINA_")


class NotStarted(Exception):
    """A process ended or stayed silent before it listened; the message holds the end of its log."""


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass(slots=True)
class Server:
    """A started server. `pid` is the root of its processes; `started_in` the seconds until it listened."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path
    token: str = ""
    started_in: float = 0.0

    @property
    def pid(self) -> int:
        """The root of the server's process tree."""
        return self.process.pid

    def stop(self) -> None:
        """Asks the whole process group to end, and insists after 15 s."""
        for wanted, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 5)):
            if self.process.poll() is not None:
                return
            os.killpg(self.process.pid, wanted)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue


def start(name: str, command: Sequence[str], port: int, env: dict[str, str], log: Path, seconds: float = 60) -> Server:
    """Starts a server and waits until it listens. Raises NotStarted."""
    began = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(command), cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    server = Server(name, f"http://127.0.0.1:{port}", process, log)
    while not listening(port):
        if process.poll() is not None or time.monotonic() - began > seconds:
            server.stop()
            raise NotStarted(f"{name}: {' '.join(command)}\n{log.read_text(errors='replace')[-1500:]}")
        time.sleep(0.01)
    server.started_in = time.monotonic() - began
    return server


def environment(**more: str) -> dict[str, str]:
    """This process's environment without provider keys, and `more`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_PROVIDER_KEYS)}
    return kept | more


def start_upstream(folder: Path) -> Server:
    """The fake upstream."""
    port = free_port()
    command = [sys.executable, "-m", "bench.upstream", "--port", str(port)]
    return start("upstream", command, port, environment(), folder / "upstream.log")


def start_asgi(name: str, app: str, folder: Path, upstream: Server | None = None, command: Sequence[str] = ()) -> Server:
    """A bare ASGI application on uvicorn, or on the server of `command` ({port} is filled in)."""
    port = free_port()
    more = {"OPENAI_BASE_URL": f"{upstream.url}/v1"} if upstream else {}
    uvicorn = [sys.executable, "-m", "uvicorn", app, "--port", "{port}", "--no-access-log", "--log-level", "warning"]
    words = [word.replace("{port}", str(port)) for word in (command or uvicorn)]
    return start(name, words, port, environment(**more), folder / f"{name}.log")


@dataclass(slots=True)
class Project:
    """The server under test, with its own `var/` and database. `postgres` and `redis` are URLs, empty for none."""

    folder: Path
    upstream: Server
    postgres: str = ""
    redis: str = ""
    settings: str = ""
    token: str = ""

    def environment(self) -> dict[str, str]:
        """What the operator would set."""
        address = self.upstream.url.removeprefix("http://")
        chosen = {
            "DIFYPROJ_VAR": str(self.folder / "var"),
            "OPENAI_API_KEY": "sk-bench",
            "OPENAI_BASE_URL": f"{self.upstream.url}/v1",
            "OPENAI_MODEL": "bench-100-0-0",
            "EGRESS_ALLOW": address,
            "DATABASE_URL": self.postgres,
            "REDIS_URL": self.redis,
            "DJANGO_SETTINGS_MODULE": self.settings,
        }
        base = {key: value for key, value in environment().items() if key not in chosen}
        return base | {key: value for key, value in chosen.items() if value}

    def prepare(self) -> None:
        """Migrates, makes the demo apps, and takes the chat app's token. Raises NotStarted."""
        if self.postgres:
            self._create_database()
        self._manage("migrate", "--verbosity", "0")
        facts = msgspec.json.decode(self._manage("bootstrap", "--json"))
        self.token = next(app["token"] for app in facts["apps"] if app["mode"] == "chat")

    def start(self, command: Sequence[str] = (), **more: str) -> Server:
        """Serves on a free port; `command` replaces `manage.py serve`, `more` is added to the environment."""
        port = free_port()
        words = list(command) or [sys.executable, "manage.py", "serve"]
        words += ["--host", "127.0.0.1", "--port", str(port)]
        server = start("ours", words, port, self.environment() | more, self.folder / "ours.log")
        server.token = self.token
        return server

    def _manage(self, *words: str) -> bytes:
        done = subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=self.environment(), capture_output=True)
        if done.returncode:
            raise NotStarted(f"manage.py {' '.join(words)}\n{done.stderr.decode(errors='replace')[-3000:]}")
        return done.stdout[done.stdout.find(b"{") :]

    def _create_database(self) -> None:
        server, _, name = self.postgres.rpartition("/")
        for sql in (f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"'):
            subprocess.run(["psql", "-q", f"{server}/postgres", "-c", sql], check=True, capture_output=True)
