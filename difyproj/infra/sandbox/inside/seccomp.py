"""Filters of system calls: a list of what is allowed, everything else is refused by the kernel. No library needed."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from typing import Final

# Name: the numbers on x86-64 and on ARM64; None where an architecture has none.
Numbers = tuple[int | None, int | None]

COMPUTING: Final[dict[str, Numbers]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216), "madvise": (28, 233),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "futex": (202, 98), "sched_yield": (24, 124), "restart_syscall": (219, 128), "getrandom": (318, 278),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "time": (201, None),
    "clock_nanosleep": (230, 115), "nanosleep": (35, 101), "getrusage": (98, 165), "getpid": (39, 172), "gettid": (186, 178),
    "prlimit64": (302, 261), "getrlimit": (97, 163), "exit": (60, 93), "exit_group": (231, 94), "newfstatat": (262, 79),
}  # fmt: skip
# A whole CPython besides: it reads what it is made of, has threads and waits; still no process, signal or way out.
PYTHON: Final[dict[str, Numbers]] = COMPUTING | {
    "open": (2, None), "openat": (257, 56), "stat": (4, None), "lstat": (6, None), "statx": (332, 291), "access": (21, None),
    "faccessat": (269, 48), "faccessat2": (439, 439), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "fcntl": (72, 25), "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "pipe": (22, None), "pipe2": (293, 59),
    "socketpair": (53, 199), "sendto": (44, 206), "recvfrom": (45, 207), "getcwd": (79, 17), "getdents64": (217, 61),
    "readlink": (89, None), "readlinkat": (267, 78), "ioctl": (16, 29), "uname": (63, 160), "set_robust_list": (273, 99),
    "rseq": (334, 293), "set_tid_address": (218, 96), "epoll_create1": (291, 20), "epoll_ctl": (233, 21),
    "epoll_wait": (232, None), "epoll_pwait": (281, 22), "eventfd2": (290, 19), "poll": (7, None), "ppoll": (271, 73),
    "select": (23, None), "pselect6": (270, 72), "sysinfo": (99, 179), "times": (100, 153), "arch_prctl": (158, None),
    "sched_getaffinity": (204, 123), "statfs": (137, 43), "fstatfs": (138, 44), "getuid": (102, 174), "geteuid": (107, 175),
    "getgid": (104, 176), "getegid": (108, 177), "getppid": (110, 173), "clone": (56, 220), "membarrier": (324, 283),
}  # fmt: skip

# A program that begins another one and ends it again. Neither has a network.
PARENT: Final[dict[str, Numbers]] = PYTHON | {
    "execve": (59, 221), "vfork": (58, None), "wait4": (61, 260), "waitid": (247, 95), "kill": (62, 129), "tgkill": (234, 131),
    "pidfd_open": (434, 434), "prctl": (157, 167), "setsid": (112, 157), "setpgid": (109, 154), "getpgrp": (111, None),
    "close_range": (436, 436), "chdir": (80, 49),
}  # fmt: skip

# uname's name of the machine: which of the numbers, and how the kernel names it to a filter.
ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
CLONE3: Final = 435
CLONE_THREAD: Final = 0x10000
# Is it a terminal, is something there to read, close it in other programs, do not wait.
DEVICE_QUESTIONS: Final = (0x5401, 0x541B, 0x5450, 0x5451, 0x5421)

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_NUMBER, _ARCHITECTURE, _FIRST = 0, 4, 16
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2

Line = tuple[int, int, int, int]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("lines", ctypes.c_char_p)]


def install(allowed: dict[str, Numbers]) -> bool:
    """Puts this process, and all that it begins, behind the filter. False where the kernel or the machine knows none.

    Processes may be begun only where programs may.
    """
    machine = ARCHITECTURES.get(os.uname().machine)
    if machine is None:
        return False
    lines = [struct.pack("HBBI", *line) for line in program(allowed, *machine)]
    filter_ = _Program(len(lines), b"".join(lines))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return not libc.prctl(_SET_SECCOMP, _MODE_FILTER, ctypes.byref(filter_))


def program(allowed: dict[str, Numbers], column: int, architecture: int) -> list[Line]:
    """The filter as the kernel's small machine reads it."""
    lines: list[Line] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        # The C library then takes the older call, whose flags a filter can see.
        *_when(CLONE3, [(_RETURN, 0, 0, _REFUSE | errno.ENOSYS)]),
    ]
    for name, numbers in allowed.items():
        if (number := numbers[column]) is not None:
            conditions = [] if name == "clone" and "execve" in allowed else _condition(name)
            lines += _when(number, [*conditions, (_RETURN, 0, 0, _ALLOW)])
    return [*lines, (_RETURN, 0, 0, _REFUSE | errno.EPERM)]


def _when(number: int, then: Iterable[Line]) -> list[Line]:
    steps = list(then)
    return [(_EQUAL, 0, len(steps), number), *steps]


def _condition(name: str) -> list[Line]:
    """Threads, but no processes; limits of this process, not of another; of devices only what any file is asked."""
    refuse = (_RETURN, 0, 0, _REFUSE | errno.EPERM)
    if name == "clone":
        return [(_LOAD, 0, 0, _FIRST), (_ANY_BIT, 1, 0, CLONE_THREAD), refuse]
    if name == "prlimit64":
        return [(_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, 0), refuse]
    if name == "ioctl":
        steps = range(len(DEVICE_QUESTIONS), 0, -1)
        asked = [(_EQUAL, left, 0, question) for left, question in zip(steps, DEVICE_QUESTIONS, strict=True)]
        return [(_LOAD, 0, 0, _FIRST + 8), *asked, refuse]
    return []
