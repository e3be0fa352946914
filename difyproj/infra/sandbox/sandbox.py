"""Code and templates of strangers, run by workers behind walls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from difyproj.kernel.errors import InvalidParam
from workflows.engine.ports import CodeExecutionError

from .exchanges import Exchanges
from .programs import TEMPLATE, Bounds, Program
from .walls import Walls
from .workers import Answer, WorkerDied, Workers

LONGEST_TOLD: Final = 2000
LARGEST_REQUEST: Final = 32 * 1024**2
# A text needs less than code does.
TEMPLATE_BOUNDS: Final = Bounds(seconds=5.0, memory=256 * 1024**2)
# What an interpreter answers that lacks something; the code may be right, and has changed nothing when it runs again.
UNKNOWN: Final = frozenset(
    {
        "AttributeError",
        "ImportError",
        "ModuleNotFoundError",
        "NameError",
        "NotImplementedError",
        "PermissionError",
        "RuntimeError",
        "SyntaxError",
        "TypeError",
    }
)


class Sandbox:
    """The port's adapter. ``size`` workers of each program at most; none before the first call.

    With ``requests`` Python has a module of that name, whose exchanges this process does.
    """

    def __init__(self, walls: Walls, *, size: int, bounds: Bounds, requests: bool = False) -> None:
        self._requests = requests
        self._languages, self._bounds = walls.languages, bounds
        programs = [(program, bounds) for row in self._languages.values() for program in row]
        programs.append((TEMPLATE, TEMPLATE_BOUNDS))
        self._workers = {
            program.name: Workers(partial(walls.command, program, bound), size=size) for program, bound in programs
        }

    async def run_code(self, language: str, code: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        if language not in self._languages:
            known = ", ".join(self._languages)
            raise InvalidParam(f"The language {language} is not known. Known: {known}.", params="code_language")
        kind, told, exchanges = "", "", Exchanges()
        request = {"code": code, "inputs": inputs, "requests": self._requests}
        for program in self._languages[language]:
            kind, told = await self._ask(program, request, self._bounds, exchanges.answer if self._requests else None)
            if kind not in UNKNOWN or exchanges.count:
                break
        if kind:
            raise CodeExecutionError(told)
        return _object(told)

    async def render(self, source: str, values: Mapping[str, Any], *, limit: int) -> str:
        kind, told = await self._ask(TEMPLATE, {"source": source, "values": values, "limit": limit}, TEMPLATE_BOUNDS)
        if kind:
            raise InvalidParam(f"The template could not be rendered. {told}")
        return told

    async def _ask(
        self, program: Program, request: Mapping[str, Any], bounds: Bounds, answer: Answer | None = None
    ) -> tuple[str, str]:
        """The type of the error, or nothing; and the error's text, or what came out."""
        try:
            asked = json.dumps(request, default=str).encode()
        except (ValueError, RecursionError):
            return "ValueError", "The variables cannot be given to it."
        if len(asked) > LARGEST_REQUEST:
            return "ValueError", f"The variables have more than {LARGEST_REQUEST} bytes."
        try:
            head, body = await self._workers[program.name].ask(asked, seconds=bounds.seconds, answer=answer)
        except TimeoutError:
            return "TimeoutError", "It took too long."
        except WorkerDied:
            return "MemoryError", "It needs too much memory or time."
        text = body.decode("utf-8", "replace")
        kind = str(head.get("error", ""))
        return kind, text[:LONGEST_TOLD] if kind else text

    async def aclose(self) -> None:
        """Ends all workers; the next call starts new ones."""
        for workers in self._workers.values():
            await workers.aclose()


def _object(told: str) -> Mapping[str, Any]:
    try:
        value = json.loads(told, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise CodeExecutionError(f"The result cannot be read. {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise CodeExecutionError(f"main must return an object, not {_NAMES.get(type(value), 'a number')}.")
    return value


_NAMES: Final = {type(None): "nothing", list: "a list", str: "a text", bool: "a truth value"}


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number.")
