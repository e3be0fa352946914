"""Limits that a process puts on itself before it touches a stranger's code, and can never lift again."""

from __future__ import annotations

import resource

from . import seccomp


def limit(*, memory: int, files: int, processes: int | None = 0) -> None:
    """No more memory, open files or processes than the work needs, no written file and no core dump."""
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_NPROC, processes),
    ):
        if most is not None:
            resource.setrlimit(what, (most, most))


def limit_time(seconds: float) -> None:
    """From now on so much time of a processor; then the kernel ends the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime + seconds) + 2, most))


def enclose(*, memory: int) -> None:
    """For a program that only computes: it may read its requests and write its replies, and the kernel refuses the rest.

    Where the kernel knows no filters, the limits stand alone.
    """
    limit(memory=memory, files=16)
    seccomp.install(seccomp.COMPUTING)
