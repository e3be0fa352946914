"""Sandboxes of every kind of walls, for the tests of what they run and of what they keep in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import pytest

from difyproj.infra.sandbox.programs import Bounds
from difyproj.infra.sandbox.sandbox import Sandbox
from difyproj.infra.sandbox.walls import WALLS

SECONDS: Final = 1.0
BOUNDS: Final = Bounds(seconds=SECONDS, memory=64 * 1024**2)


@contextmanager
def sandbox_behind(name: str, *, size: int = 2, bounds: Bounds = BOUNDS, requests: bool = False) -> Iterator[Sandbox]:
    """Skips the test where the machine cannot have these walls."""
    if reason := _refusal(name):
        pytest.skip(f"No {name} walls here: {reason}")
    sandbox = Sandbox(WALLS.get(name)(), size=size, bounds=bounds, requests=requests)
    yield sandbox
    asyncio.run(sandbox.aclose())


@cache
def _refusal(name: str) -> str:
    return WALLS.get(name)().refusal()


async def out(sandbox: Sandbox, code: str, language: str = "python3", **inputs: Any) -> Any:
    """What ``main`` of ``code`` returns as ``out``."""
    return (await sandbox.run_code(language, code, inputs))["out"]
