"""Write docs/api/console.md: which operations of the Console API's contract are built, off or planned."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand
from django.urls import get_resolver

from difyproj.tiers import console_table


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", default=str(Path(settings.BASE_DIR) / "docs" / "api" / "console.md"))

    def handle(self, *_: Any, file: str, **__: Any) -> None:
        served = console_table.routed(get_resolver().url_patterns, prefix="console/api/")
        Path(file).write_text(console_table.page(served), encoding="utf-8")
