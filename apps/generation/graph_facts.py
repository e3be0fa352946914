"""What the rows of a graph's run are told beyond what every run has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """``inputs`` are what the run begins with, ``sys.*`` among them. ``graph`` is kept for drafts only, which change.

    ``variables`` are those of the conversation that it does not have yet; ``speaks`` says whether the graph has answers whose
    text is sent while it is made; ``once`` names nodes that begin only when that is kept. ``secrets`` are values that nobody is
    shown.
    """

    workflow_id: UUID
    version: str
    inputs: Mapping[str, Any]
    triggered_from: str
    created_by: Mapping[str, Any] | None = None
    graph: Mapping[str, Any] | None = None
    conversation_id: UUID | None = None
    variables: Sequence[Mapping[str, Any]] = ()
    speaks: bool = False
    once: frozenset[str] = frozenset()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
