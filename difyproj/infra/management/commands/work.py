"""work: run jobs. ``serve`` starts one worker by itself; this is for more of them, and for servers started otherwise."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError

from difyproj.infra.jobs import worker


class Command(BaseCommand):
    help = "Run jobs (mail, previews, imports, retention) until SIGTERM."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--threads", type=int, default=settings.TASK_THREADS, help="Jobs to run at the same time.")
        parser.add_argument("--parent", type=int, help="For serve: a pipe that ends with the parent.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.TASK_BROKER_URL:
            raise CommandError("TASK_BROKER_URL is empty.")
        try:
            code = worker.work(threads=options["threads"], parent=options["parent"])
        except DatabaseError as error:
            raise CommandError(f"The database is not ready (manage.py migrate): {error}") from error
        sys.exit(code)
