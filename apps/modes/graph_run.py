"""The plan of one run of an author's graph."""

from __future__ import annotations

from apps.config import AppConfig
from difyproj.kernel.errors import AppUnavailable

from . import flow
from .mode import Plan, Turn


def build(config: AppConfig, turn: Turn) -> Plan:
    """Raises AppUnavailable for a question without its graph."""
    if turn.flow is None:
        raise AppUnavailable("The app has no workflow yet. Publish one first.")
    return Plan(turn.flow.flow.graph, flow.pool(turn.inputs, turn.flow), turn.history)
