"""Configurations and short ways to run them, for the tests of modes and moderation."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from apps.config import AppConfig, parse
from apps.modes import MODES
from apps.modes.mode import Turn
from apps.modes.run import run
from difyproj.model_runtime.base import ModelRequest
from difyproj.testing.fakes import KeptFiles, ScriptedModels
from workflows.engine.events import RunEvent
from workflows.engine.ports import Ports
from workflows.engine.state import RunState

MODEL = {"provider": "demo", "name": "m", "mode": "chat", "completion_params": {}}


def config(**fields: Any) -> AppConfig:
    return parse({"model": MODEL, **fields})


async def play(
    app: AppConfig,
    turn: Turn,
    models: ScriptedModels | None = None,
    *,
    mode: str = "chat",
    files: KeptFiles | None = None,
    stage_events: bool = False,
    state: RunState | None = None,
) -> list[RunEvent]:
    ports = Ports(models or ScriptedModels(), files or KeptFiles())
    stream = run(MODES.get(mode), app, turn, ports, state=state or RunState(), stage_events=stage_events)
    async with aclosing(stream):
        return [event async for event in stream]


async def asked(app: AppConfig, turn: Turn, *, mode: str = "chat", size: int = 0) -> ModelRequest:
    """The request that the model got."""
    models = ScriptedModels(size=size)
    await play(app, turn, models, mode=mode)
    assert len(models.requests) == 1
    return models.requests[0]


def lines(request: ModelRequest) -> list[str]:
    return [f"{message.role.value}: {message.text}" for message in request.messages]
