"""Processes of this machine: which one a pid names, and whether it still lives."""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

_STATE, _START_TICKS = 0, 19


@cache
def name() -> str:
    """The machine and the pid namespace: pids of two containers that share a host name must not be compared."""
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        namespace = ""
    return f"{socket.gethostname()[:200]} {namespace}".strip()


def started_ticks(pid: int) -> int:
    """Clock ticks from boot to the process's start; 0 when there is no such process, or no way to tell."""
    fields = _stat(pid)
    return int(fields[_START_TICKS]) if fields else 0


def is_alive(pid: int, ticks: int) -> bool:
    """Whether the process that had ``pid`` and started at ``ticks`` still runs."""
    if not Path("/proc/self/stat").exists():
        return _answers(pid)
    fields = _stat(pid)
    return fields is not None and fields[_STATE] not in ("Z", "X") and ticks in (0, int(fields[_START_TICKS]))


def _stat(pid: int) -> list[str] | None:
    """The fields behind the command's name, which may itself hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
