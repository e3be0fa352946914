"""workflow: a graph of the author's own from its inputs to its outputs, without a conversation."""

from __future__ import annotations

from typing import Final

from .graph_run import build
from .mode import WORKFLOW, Mode

MODE: Final = Mode(family=WORKFLOW, has_conversations=False, build=build)
