"""What the Console API's routes of graphs share."""

from __future__ import annotations

from typing import ClassVar

from apps.models import App
from apps.models.run import GRAPH_MODES
from apps.services.apps import AppNotFound
from difyproj.tiers.console import ConsoleViewSet


class GraphViewSet(ConsoleViewSet):
    """``modes`` are the app modes that the routes serve; apps of others are not found there, as the contract has it."""

    tag = "Workflows"
    modes: ClassVar[frozenset[str]] = frozenset(GRAPH_MODES)

    def app(self, app_id: str) -> App:
        found = super().app(app_id)
        if found.mode not in self.modes:
            raise AppNotFound(f"The app is none of these: {', '.join(sorted(self.modes))}.")
        return found
