"""advanced-chat: a graph of the author's own for every question of a conversation."""

from __future__ import annotations

from typing import Final

from .graph_run import build
from .mode import CHAT, Mode

MODE: Final = Mode(family=CHAT, has_conversations=True, build=build)
