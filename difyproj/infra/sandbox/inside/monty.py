"""Runs Python by Monty, an interpreter in Rust that has no files, network or processes to give away."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import pydantic_monty as monty

from . import confinement, landlock, requests, seccomp
from .frames import Refused, limits, serve

FILES: Final = 64
# What a program in Rust is linked with.
LIBRARIES: Final = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/nix/store", "/etc/ld.so.cache")
PRINT_BYTES: Final = 256 * 1024
RECURSION: Final = 500
# Address space: much of it is reserved and never used.
OVERHEAD_BYTES: Final = 1024**3
# Nobody reads what is printed; the name may still be used.
PRELUDE: Final = "def print(*values, **options): pass"
CALL: Final = "\nimport json as __json\n__json.dumps(main(**__inputs))"


def main() -> None:
    given = limits()
    confinement.limit(memory=given["memory"] + OVERHEAD_BYTES, files=FILES, processes=None)
    landlock.allow_reading([*sys.path, *LIBRARIES, given["binary"], os.devnull])
    seccomp.install(seccomp.PARENT)
    with monty.Monty(binary_path=given["binary"], min_processes=1, max_processes=1) as pool:
        serve(lambda asked: answer(pool, asked, given["seconds"], given["memory"]), most_memory=given["memory"])


def answer(pool: monty.Monty, asked: dict[str, Any], seconds: float, memory: int) -> str:
    """What ``main`` returns, as JSON. Raises Refused."""
    bounds: monty.ResourceLimits = {
        "max_feed_duration_secs": seconds,
        "max_total_sleep_secs": seconds,
        "max_memory": memory,
        "max_recursion_depth": RECURSION,
    }
    printed = monty.CollectString(PRINT_BYTES)
    modules = {"requests": requests.module if asked.get("requests") else requests.refusing}
    try:
        with pool.checkout(limits=bounds, external_modules=modules) as session:
            session.feed_run(PRELUDE)
            told: str = session.feed_run(asked["code"] + CALL, inputs={"__inputs": asked["inputs"]}, print_callback=printed)
    except monty.MontyCrashedError as error:
        raise Refused("MemoryError", "The code ended its interpreter.") from error
    except monty.MontyError as error:
        raise Refused(*_explained(error, len(asked["code"].splitlines()))) from error
    return told


def _explained(error: monty.MontyError, lines: int) -> tuple[str, str]:
    """The error's type, and its text with the line of the author's code."""
    kind = type(error.exception()).__name__
    if kind == "TimeoutError" and "limit exceeded" in str(error):
        return kind, "The code took too long."
    if kind == "MemoryError":
        return kind, "The code needs too much memory."
    if isinstance(error, monty.MontySyntaxError | monty.MontyRuntimeError):
        own = [frame.line for frame in error.traceback() if frame.line <= lines]
        text = error.display("type-msg")
        return kind, f"Line {own[-1]}: {text}" if own else text
    return kind, str(error)
