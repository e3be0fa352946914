"""The table of modes, and which family of routes each of Dify's modes belongs to."""

from __future__ import annotations

from typing import Final

from difyproj.kernel.errors import AppUnavailable
from difyproj.kernel.registry import Registry

from .mode import CHAT, COMPLETION, WORKFLOW, Family, Mode

MODES: Final[Registry[Mode]] = Registry(
    "app mode",
    {
        "chat": "apps.modes.chat:MODE",
        "completion": "apps.modes.completion:MODE",
        "workflow": "apps.modes.workflow:MODE",
        "advanced-chat": "apps.modes.advanced_chat:MODE",
    },
)

_FAMILIES: Final = {
    "chat": CHAT,
    "agent-chat": CHAT,
    "advanced-chat": CHAT,
    "completion": COMPLETION,
    "workflow": WORKFLOW,
}

# Modes whose graph is the author's: their runs are kept node by node.
GRAPH_MODES: Final = frozenset({"workflow", "advanced-chat"})


def mode_of(app_mode: str) -> Mode:
    """The row that runs ``app_mode``. Raises AppUnavailable for a mode that has none."""
    return mode_for(app_mode, _FAMILIES.get(app_mode, CHAT))


def mode_for(app_mode: str, family: Family) -> Mode:
    """The row that runs ``app_mode`` on a route of ``family``.

    Raises the family's refusal for apps of another family, AppUnavailable for a mode that has no row.
    """
    if _FAMILIES.get(app_mode) is not family:
        raise family.refusal()
    if app_mode not in MODES:
        raise AppUnavailable(f"Apps of the mode {app_mode} cannot run here.")
    return MODES.get(app_mode)
