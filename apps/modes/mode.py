"""What a mode is, and what it makes of a configuration and a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from apps.config import AppConfig
from difyproj.kernel.errors import AppUnavailable, DomainError, NotChatApp, NotWorkflowApp
from workflows.engine.graph import BoundGraph, Graph
from workflows.engine.node import HistoryTurn
from workflows.engine.pool import VariablePool

from .flow import FlowTurn
from .written import Find


@dataclass(frozen=True, slots=True)
class Family:
    """A family of routes and wire events. ``refusal`` is what its routes answer to an app of another family."""

    name: str
    refusal: type[DomainError]


CHAT: Final = Family("chat", NotChatApp)
COMPLETION: Final = Family("completion", AppUnavailable)
WORKFLOW: Final = Family("workflow", NotWorkflowApp)


@dataclass(frozen=True, slots=True)
class Turn:
    """One question to an app. ``inputs`` are checked already; ``files`` are ids that the file port knows.

    ``history`` holds the conversation's earlier turns, oldest first; ``history_is_given`` when the caller wrote them.
    ``context`` is text found in the app's knowledge, ``instructions`` what the caller adds to the app's own. ``flow`` is there
    for modes whose graph is the author's, ``written`` where answers that people wrote come before the model's.
    """

    query: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[str] = ()
    history: Sequence[HistoryTurn] = ()
    user: str = ""
    app_id: str = ""
    conversation_id: str = ""
    context: str = ""
    instructions: str = ""
    history_is_given: bool = False
    flow: FlowTurn | None = None
    written: Find | None = None

    def texts(self) -> list[str]:
        """Every text that the caller brought and nobody has checked yet."""
        texts = [self.query, *(value for value in self.inputs.values() if isinstance(value, str))]
        if self.instructions:
            texts.append(self.instructions)
        if self.history_is_given:
            texts.extend(text for turn in self.history for text in (turn.query, turn.answer))
        return texts

    def pool(self) -> VariablePool:
        """The variables with which a run of this question begins."""
        return VariablePool(
            {
                "inputs": self.inputs,
                "sys": {
                    "query": self.query,
                    "files": list(self.files),
                    "user_id": self.user,
                    "app_id": self.app_id,
                    "conversation_id": self.conversation_id,
                    "dialogue_count": len(self.history),
                },
            }
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What the engine needs for one run."""

    graph: Graph | BoundGraph
    pool: VariablePool
    history: Sequence[HistoryTurn] = ()


@dataclass(frozen=True, slots=True)
class Mode:
    """One app mode. ``has_conversations`` says whether questions continue one another."""

    family: Family
    has_conversations: bool
    build: Callable[[AppConfig, Turn], Plan]
