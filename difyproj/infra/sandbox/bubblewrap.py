"""Walls by bubblewrap: each worker sees no network, no other process, no file but its own, and no place to write."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from .programs import CPYTHON, JAVASCRIPT, PYTHON, Bounds, Program, command

PROBE_SECONDS: Final = 20
NOBODY: Final = "65534"
# Where programs are linked from. Not all of /usr: some install the project itself there.
LINKED: Final = ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/local/lib", "/usr/share/zoneinfo", "/nix/store")
SYSTEM: Final = ("/lib", "/lib64", "/lib32")
# No /proc: through it a process could read and write the memory of its server. No place to write: nothing stays of a call.
WALLS: Final = (
    "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--cap-drop", "ALL",
    "--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox", "--clearenv", "--setenv", "LANG", "C.UTF-8",
    "--setenv", "OPENBLAS_NUM_THREADS", "1",
    "--dev", "/dev", "--remount-ro", "/dev",
)  # fmt: skip


class Bubblewrap:
    """Behind these a whole CPython may run what Monty does not know."""

    def __init__(self, *, packages: str = "") -> None:
        whole = replace(CPYTHON, extra=packages)
        self.languages: Mapping[str, Sequence[Program]] = {"python3": (PYTHON, whole), "javascript": (JAVASCRIPT,)}

    def refusal(self) -> str:
        if shutil.which("bwrap") is None:
            return "bwrap is not installed."
        program = Program("nothing")
        try:
            tried = subprocess.run(  # noqa: S603  our own command
                [*self._walls(program), _python(), "-I", "-S", "-c", ""],
                env={},
                capture_output=True,
                timeout=PROBE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bwrap cannot be run: {type(error).__name__}."
        return tried.stderr.decode("utf-8", "replace").strip() or "bwrap fails." if tried.returncode else ""

    def command(self, program: Program, bounds: Bounds) -> list[str]:
        return [*self._walls(program), *command(program, bounds, python=_python())]

    def _walls(self, program: Program) -> list[str]:
        prefix = Path(sys.base_prefix)
        own = [Path(_python()), prefix / "lib", prefix / "lib64", *program.files()]
        shown = [str(path) for path in dict.fromkeys([*map(Path, LINKED), *own]) if path.exists()]
        binds = [word for path in shown for word in ("--ro-bind", path, path)]
        return [shutil.which("bwrap") or "bwrap", *WALLS, *binds, *_system(), "--remount-ro", "/", "--"]


def _python() -> str:
    """The interpreter itself: a virtual environment's is only a link to it."""
    return os.path.realpath(sys.executable)


def _system() -> list[str]:
    words: list[str] = []
    for place in SYSTEM:
        path = Path(place)
        if path.is_symlink():
            words += ["--symlink", str(path.readlink()), place]
        elif path.is_dir():
            words += ["--ro-bind", place, place]
    return words
