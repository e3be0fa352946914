"""Renders one Jinja2 template in a process of its own: fuel bounds its time, but only a process bounds its memory.

Run as a script: ``python -I -S jinja_process.py <folder of minijinja>``. A JSON object (``source``, ``values``, ``limit``)
comes on standard input, one with ``text`` or ``error`` goes to standard output. It knows nothing of the project, and its
limits are set before the first byte is parsed. Nobody imports it.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any, Final

# Without the site module, which it has no time for, it is told where minijinja lies.
sys.path.extend(sys.argv[1:2])

import minijinja

MEMORY_BYTES, CPU_SECONDS = 256 * 1024**2, 5
FUEL: Final = 2_000_000


def confine() -> None:
    """No more memory, time, files or processes than a text needs."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))


def render(source: str, values: dict[str, Any]) -> str:
    """The text, as Jinja2 makes it. Raises minijinja's TemplateError."""
    environment = minijinja.Environment(fuel=FUEL, debug=False)
    # It would print all that the template was given.
    environment.remove_global("debug")
    return environment.render_str(source.replace("\r\n", "\n").replace("\r", "\n"), "template", **values)


def answer(source: str, values: dict[str, Any], limit: int) -> dict[str, str]:
    try:
        text = render(source, values)
    except minijinja.TemplateError as error:
        reason = str(error).partition(" (in template:")[0]
        return {"error": f"Line {error.line}: {reason}." if error.line else f"{reason}."}
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        return {"error": f"{error}"}
    return {"text": text} if len(text) <= limit else {"error": f"The text is longer than {limit} characters."}


if __name__ == "__main__":
    confine()
    json.dump(answer(**json.load(sys.stdin)), sys.stdout)
