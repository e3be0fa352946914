"""One question to one app: the mode's graph through the engine, with the layers its configuration asks for."""

from __future__ import annotations

from functools import partial

from apps.config import AppConfig
from workflows.engine.events import Events
from workflows.engine.layers import Layer
from workflows.engine.ports import Ports
from workflows.engine.state import RunState
from workflows.engine.walk import run as walk
from workflows.nodes import NODES

from . import moderation, speech, written
from .mode import Mode, Turn
from .stages import stages


def run(
    mode: Mode,
    config: AppConfig,
    turn: Turn,
    ports: Ports,
    *,
    state: RunState,
    stage_events: bool = False,
    is_followed: bool = True,
) -> Events:
    """The events of the run. ``is_followed`` says whether somebody reads them as they come.

    Raises AppUnavailable or InvalidParam, before any event, when the app cannot be run."""
    plan = mode.build(config, turn)
    progress = turn.flow.progress if turn.flow is not None else None
    is_begun = progress is not None
    known = [] if turn.written is None or is_begun else [written.layer(turn.written, turn.query, state, ports.models)]
    layers: list[Layer] = moderation.layers(config, turn, state, ports.models, is_begun=is_begun, between=known)
    layers += speech.layers(config, ports.models, is_followed=is_followed)
    if stage_events:
        layers.append(stages)
    common = partial(walk, plan.graph, plan.pool, ports, nodes=NODES, state=state, history=plan.history, layers=layers)
    if turn.flow is None:
        return common()
    if progress is None:
        return common(limits=turn.flow.limits)
    return common(
        limits=turn.flow.limits,
        reason=progress.reason,
        finished=progress.finished,
        begun=progress.begun,
        answers=progress.answers,
        waiting=progress.waiting,
        announced=progress.announced,
    )
