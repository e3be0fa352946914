"""The sandbox of this process: where code and templates of strangers run. Nothing is started before its first use."""

from __future__ import annotations

import logging
from functools import cache

from django.conf import settings

from workflows.engine.ports import CodeLimits, SandboxPort

from .programs import Bounds
from .sandbox import Sandbox
from .walls import WALLS, Walls

logger = logging.getLogger("dify.sandbox")


def get_sandbox() -> SandboxPort:
    """For the ports of runs; one for all of them."""
    return _sandbox()


def code_limits() -> CodeLimits:
    """What code nodes may return, as the operator has it."""
    return CodeLimits(**settings.CODE_LIMITS)


async def aclose() -> None:
    """Ends the workers; the next call starts new ones."""
    if _sandbox.cache_info().currsize:
        await _sandbox().aclose()


@cache
def _sandbox() -> Sandbox:
    bounds = Bounds(seconds=settings.SANDBOX_SECONDS, memory=settings.SANDBOX_MEMORY_MB * 1024**2)
    return Sandbox(_walls(), size=settings.SANDBOX_WORKERS, bounds=bounds, requests=settings.SANDBOX_REQUESTS)


def _walls() -> Walls:
    """Those of the setting; ``auto`` takes the strongest that this machine has."""
    name, given = settings.SANDBOX_BACKEND, settings.SANDBOX_PACKAGES
    walls = WALLS.get("bwrap" if name == "auto" else name)(packages=given)
    refusal = walls.refusal()
    if refusal and name == "auto":
        logger.info("The sandbox has its embedded walls only: %s", refusal)
        return WALLS.get("embedded")(packages=given)
    if refusal:
        logger.error("No code and no template can be run: %s", refusal)
    return walls
