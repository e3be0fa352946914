"""Layers wrap the event stream of a run: they may hold events back, add some, or end the run early."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing

from difyproj.kernel.errors import InvalidParam

from .events import Events, NodeStarted
from .ports import ModelPort
from .state import RunState

Layer = Callable[[Events], Events]


def step_limit(most: int, state: RunState, models: ModelPort) -> Layer:
    """Ends a run in an error when it starts more than ``most`` nodes."""

    async def layer(source: Events) -> Events:
        async with aclosing(source):
            async for event in source:
                if isinstance(event, NodeStarted) and event.index > most:
                    break
                yield event
            else:
                return
        yield await state.failed(models, InvalidParam(f"The run took more than {most} steps."))

    return layer
