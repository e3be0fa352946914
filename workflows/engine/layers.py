"""Layers wrap the event stream of a run: they may hold events back, add some, or end the run early."""

from __future__ import annotations

from collections.abc import Callable

from .events import Events

Layer = Callable[[Events], Events]
