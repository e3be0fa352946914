"""Runs JavaScript: each call in a context of its own, which knows no file, no network and no other call."""

from __future__ import annotations

import json
from typing import Any, Final

import _quickjs

from . import confinement
from .frames import Refused, limits, serve

STACK_BYTES: Final = 1024**2
# What the interpreter and this program need beside the code's own memory.
OVERHEAD_BYTES: Final = 192 * 1024**2
# Authors print while they try; nobody reads it.
PRELUDE: Final = "globalThis.console = Object.fromEntries(['log', 'info', 'warn', 'error', 'debug'].map((n) => [n, () => {}]))"
# Inside the interpreter, so that its limits hold for what an object does when it is written down.
CALL: Final = "(inputs) => { const told = JSON.stringify(main(inputs)); return told === undefined ? 'null' : told }"


def main() -> None:
    given = limits()
    confinement.enclose(memory=given["memory"] + OVERHEAD_BYTES)
    serve(lambda asked: answer(asked, given["seconds"], given["memory"]), most_memory=given["memory"])


def answer(asked: dict[str, Any], seconds: float, memory: int) -> str:
    """What ``main`` returns, as JSON. Raises Refused."""
    confinement.limit_time(seconds)
    context = _quickjs.Context()
    context.set_memory_limit(memory)
    context.set_max_stack_size(STACK_BYTES)
    context.eval(PRELUDE)
    context.set_time_limit(seconds)
    try:
        context.eval(asked["code"])
        told: str = context.eval(CALL)(context.parse_json(json.dumps(asked["inputs"])))
    except _quickjs.JSException as error:
        raise Refused(*_explained(str(error).strip())) from error
    return told


def _explained(told: str) -> tuple[str, str]:
    if told.startswith("InternalError: interrupted"):
        return "TimeoutError", "The code took too long."
    if told.startswith(("InternalError: out of memory", "null")):
        return "MemoryError", "The code needs too much memory."
    return "Error", told
