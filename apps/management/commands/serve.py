"""serve: bring the database up to date, make the try-out workspace at the first start, and serve, with a worker beside."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from uvicorn.supervisors import Multiprocess

from apps.services import trial
from difyproj.infra.jobs import companion
from difyproj.infra.jobs.companion import Companion

from .bootstrap import welcome

PREPARATION_LOCK = 0x646966796A  # any number that nobody else takes
# Longer than answers may go on and be kept after the signal (apps.generation), so that their readers see the end.
GRACE_SECONDS = 13


class Command(BaseCommand):
    help = "Serve the project. The first start makes everything that is needed."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=1, help="Web processes; more than one needs PostgreSQL and Redis.")
        parser.add_argument("--no-worker", action="store_true", help="Without a worker: start manage.py work beside it.")
        parser.add_argument("--no-bootstrap", action="store_true", help="Start without the try-out workspace.")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port, workers = options["host"], options["port"], options["workers"]
        check_workers(workers)
        base_url = os.environ.get("PUBLIC_URL") or f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104
        os.environ["PUBLIC_URL"] = settings.PUBLIC_URL = base_url
        with alone():
            self.prepare(base_url, bootstrap=not options["no_bootstrap"] and not settings.PRODUCTION)
        self.stdout.write(f"Serving on {base_url} (admin: {base_url}/admin/)")
        self.stdout.flush()
        connections.close_all()
        raise_file_limit()
        run(host, port, workers, Companion(companion.command()) if not options["no_worker"] else None)

    def prepare(self, base_url: str, *, bootstrap: bool) -> None:
        migrate()
        if bootstrap:
            first = not trial.file_path().exists()
            made = trial.make(base_url=base_url)
            if first:
                self.stdout.write("\n".join(welcome(made)))
        taken = trial.take_environment_providers()
        if taken:
            self.stdout.write(f"Model providers from the environment: {', '.join(taken)}")


def check_workers(workers: int) -> None:
    if workers < 1:
        raise CommandError("--workers must be at least 1.")
    if workers > 1 and (connection.vendor != "postgresql" or not settings.REDIS_URL):
        raise CommandError(
            "More than one worker needs PostgreSQL and Redis: set DATABASE_URL=postgres://... and REDIS_URL=redis://..., "
            "or serve with one worker, which needs neither."
        )


def migrate() -> None:
    """Apply what is missing; nothing is asked of the database when it is up to date but its list of migrations."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
        give_back_memory()


def give_back_memory() -> None:
    """What migrations took would stay with the server for its life: every version of every model, 20 MB."""
    gc.collect()
    with suppress(AttributeError, OSError):  # a C library of another make keeps it
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def alone() -> Iterator[None]:
    """Servers that start at the same moment on one PostgreSQL prepare it one after the other."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [PREPARATION_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PREPARATION_LOCK])


def raise_file_limit() -> None:
    """A stream takes two sockets: use all the files that the system allows this process."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def config_of(host: str, port: int, workers: int) -> uvicorn.Config:
    """What the operator chose, for uvicorn."""
    return uvicorn.Config(
        "difyproj.asgi:application",
        host=host,
        port=port,
        workers=workers if workers > 1 else None,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=75,
        ws_max_size=2 * 1024 * 1024,
        # By itself uvicorn believes whatever this machine says, and callers behind a proxy could say who they are.
        forwarded_allow_ips=settings.FORWARDED_ALLOW_IPS,
    )


def run(host: str, port: int, workers: int, beside: Companion | None) -> None:
    config = config_of(host, port, workers)
    try:
        if workers > 1:
            Servers(config, beside).run()
        else:
            Server(config, beside).run()
    finally:
        if beside:
            beside.end()
    sys.exit(0)


class Servers(Multiprocess):
    """Several web processes, and one worker that is told to end together with them."""

    def __init__(self, config: uvicorn.Config, beside: Companion | None) -> None:
        super().__init__(config, sockets=[config.bind_socket()])
        self._beside = beside

    def init_processes(self) -> None:
        super().init_processes()
        if self._beside:
            self._beside.start()

    def terminate_all(self) -> None:
        if self._beside:
            self._beside.ask_to_end()
        super().terminate_all()


class Server(uvicorn.Server):
    """The worker starts when this listens, so that its start slows nothing down, and is told to end together with it."""

    def __init__(self, config: uvicorn.Config, beside: Companion | None) -> None:
        super().__init__(config)
        self._beside = beside

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self._beside and self.started:
            self._beside.start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """As uvicorn's, but the signal is not raised again at the end: the worker is still to be waited for."""
        if self._beside:
            self._beside.ask_to_end()
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        else:
            self.should_exit = True
