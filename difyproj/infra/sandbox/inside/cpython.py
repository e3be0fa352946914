"""Runs Python by CPython itself: a server that forks a child for each call. Only behind walls that keep files and network away.

The child limits itself, has the kernel refuse everything that is not computing or reading, runs the code, tells the server
what came out, and is gone. It can write nowhere, so that nothing of it stays. The server touches no stranger's code.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from importlib import import_module
from typing import Any, Final, NoReturn

from . import confinement, seccomp
from .frames import LARGEST_REPLY, Refused, limits, serve

FILES, THREADS = 32, 32
# The interpreter and its modules beside the code's own memory.
OVERHEAD_BYTES: Final = 256 * 1024**2
TELL: Final = 3
LONGEST_NAME: Final = 100
NAME: Final = "<code>"
# Loaded once, for every child to have.
USUAL: Final = (
    "base64", "calendar", "collections", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions",
    "functools", "hashlib", "heapq", "hmac", "html", "io", "itertools", "logging", "math", "operator", "random", "re",
    "statistics", "string", "textwrap", "typing", "unicodedata", "urllib.parse", "uuid", "zoneinfo",
)  # fmt: skip


def main() -> None:
    given = limits()
    for name in USUAL:
        import_module(name)
    gc.collect()
    gc.freeze()
    serve(lambda asked: answer(asked, given["seconds"], given["memory"]), most_memory=given["memory"])


def answer(asked: dict[str, Any], seconds: float, memory: int) -> str:
    """What ``main`` returns, as JSON. Raises Refused."""
    hear, tell = os.pipe()
    pid = os.fork()
    if not pid:
        _child(asked, tell, seconds, memory)
    os.close(tell)
    try:
        told = _heard(hear, time.monotonic() + seconds)
    finally:
        os.close(hear)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    if not told:
        raise _ended(status)
    # The code itself may have written there: whatever it is, it is no more than a result.
    kind, _, body = told.decode("utf-8", "replace").partition("\n")
    if kind:
        raise Refused(kind[:LONGEST_NAME], body)
    return body


def _heard(hear: int, deadline: float) -> bytes:
    """All that the child tells. Raises Refused when it takes too long or tells too much."""
    told = bytearray()
    while select.select([hear], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(hear, 1024**2)
        if not piece:
            return bytes(told)
        told += piece
        if len(told) > LARGEST_REPLY:
            raise Refused("MemoryError", f"More than {LARGEST_REPLY} bytes came out.")
    raise Refused("TimeoutError", "The code took too long.")


def _ended(status: int) -> Refused:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return Refused("TimeoutError", "The code took too long.")
    return Refused("MemoryError", "The code ended its interpreter.")


def _child(asked: dict[str, Any], tell: int, seconds: float, memory: int) -> NoReturn:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(tell, TELL)
    for number in range(TELL):
        os.dup2(nothing, number)
    os.closerange(TELL + 1, 256)
    confinement.limit(memory=memory + OVERHEAD_BYTES, files=FILES, processes=THREADS)
    confinement.limit_time(seconds)
    if not seccomp.install(seccomp.PYTHON):
        os._exit(1)
    kind, text = _run(asked["code"], asked["inputs"])
    with os.fdopen(TELL, "wb") as told:
        told.write(f"{kind}\n{text}".encode("utf-8", "replace"))
    os._exit(0)


def _run(code: str, inputs: dict[str, Any]) -> tuple[str, str]:
    """The type of the error, or nothing; and the error's text, or what came out as JSON."""
    try:
        space: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        exec(compile(code, NAME, "exec"), space)  # noqa: S102  behind the walls, in a child that is about to end
        return "", json.dumps(space["main"](**inputs))
    except MemoryError:
        return "MemoryError", "The code needs too much memory."
    except BaseException:
        return _explained(*sys.exc_info()[:2])


def _explained(kind: type[BaseException] | None, error: BaseException | None) -> tuple[str, str]:
    """The error's type, and its text with the line of the author's code."""
    name = kind.__name__ if kind else ""
    if isinstance(error, SyntaxError):
        return name, f"Line {error.lineno}: {name}: {error.msg}"
    if isinstance(error, KeyError) and error.args == ("main",):
        return "NameError", "NameError: name 'main' is not defined"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__ if error else None) if frame.filename == NAME]
    return name, f"Line {lines[-1]}: {name}: {error}" if lines else f"{name}: {error}"
