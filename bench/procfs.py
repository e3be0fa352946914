"""What the kernel knows about a tree of processes: CPU time, memory, threads, open files, database connections."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class Usage:
    """One look at a process tree. Sizes in MB; CPU in seconds, reaped children included."""

    processes: int = 0
    cpu: float = 0.0
    rss: float = 0.0
    pss: float = 0.0
    peak_rss: float = 0.0
    threads: int = 0
    files: int = 0
    database: int = 0


@dataclass(slots=True)
class Peaks:
    """The highest figures of several looks."""

    looks: list[Usage] = field(default_factory=list)

    def highest(self, name: str) -> float:
        """The largest value of a field of `Usage`, 0 without a look."""
        return max((float(getattr(look, name)) for look in self.looks), default=0.0)


def tree(root: int) -> list[int]:
    """The process ids of `root` and everything under it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of the tree so far, in seconds (kernel resolution 10 ms, so measure over many requests)."""
    total = 0
    for pid in tree(root):
        with suppress(OSError, IndexError):
            total += sum(map(int, _stat(pid)[11:15]))
    return total / _TICK


def look(root: int, database_ports: frozenset[int] = frozenset({5432})) -> Usage:
    """One look at the tree. `database` counts TCP connections to those ports, or else descriptors of a SQLite file."""
    pids = tree(root)
    status = [_status(pid) for pid in pids]
    links = [_links(pid) for pid in pids]
    sockets = _sockets_to(database_ports)
    over_tcp = sum(link in sockets for row in links for link in row)
    on_file = sum(link.endswith((".sqlite3", ".db", ".sqlite")) for row in links for link in row)
    return Usage(
        processes=len(pids),
        cpu=cpu_seconds(root),
        rss=sum(row.get("VmRSS", 0) for row in status) / 1024,
        pss=sum(map(_pss, pids)) / 1024,
        peak_rss=sum(row.get("VmHWM", 0) for row in status) / 1024,
        threads=sum(row.get("Threads", 0) for row in status),
        files=sum(map(len, links)),
        database=over_tcp or on_file,
    )


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def _status(pid: int) -> dict[str, int]:
    rows: dict[str, int] = {}
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in {"VmRSS", "VmHWM", "Threads"}:
                rows[name] = int(value.split()[0])
    return rows


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def _links(pid: int) -> list[str]:
    links = []
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                links.append(str(entry.readlink()))
    return links


def _sockets_to(ports: frozenset[int]) -> set[str]:
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for row in Path(table).read_text().splitlines()[1:]:
                cells = row.split()
                if cells[3] == _ESTABLISHED and int(cells[2].rpartition(":")[2], 16) in ports:
                    found.add(f"socket:[{cells[9]}]")
    return found
