"""What a node is: typed data in, text and one Done out. A node never sees a tenant, a request, a row or a setting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from .events import FileProduced, ReasoningChunk, Usage
from .pool import VariablePool
from .ports import Ports
from .state import RunState
from .template import Template

Data = TypeVar("Data")


class NodeText(msgspec.Struct, frozen=True):
    """A piece of the node's text output ``variable`` as it is made."""

    text: str
    variable: str = "text"


@dataclass(frozen=True, slots=True)
class Done:
    """The node's end: its outputs by name, and what it cost. ``handle`` chooses the outgoing edges."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] | None = None
    process_data: Mapping[str, Any] | None = None
    usage: Usage | None = None
    handle: str = "source"


NodeOutput = NodeText | ReasoningChunk | FileProduced | Done
NodeStream = AsyncGenerator[NodeOutput, None]


class HistoryTurn(msgspec.Struct, frozen=True):
    """One earlier exchange of the conversation."""

    query: str
    answer: str


@dataclass(frozen=True, slots=True)
class NodeContext(Generic[Data]):
    """What one execution of a node sees. ``data`` is the node's parsed configuration, ``history`` runs oldest first."""

    node_id: str
    data: Data
    pool: VariablePool
    ports: Ports
    state: RunState
    history: Sequence[HistoryTurn] = ()


class Node(ABC, Generic[Data]):
    """One node type, named by its row in the table.

    ``schema`` parses the graph's raw ``data``; ``run`` yields pieces and ends with exactly one Done. ``entry``
    marks types at which a run may begin. Types that speak to the user override ``answer``.
    """

    schema: ClassVar[type]
    entry: ClassVar[bool] = False

    @abstractmethod
    def run(self, ctx: NodeContext[Data]) -> NodeStream: ...

    @classmethod
    def answer(cls, data: Data) -> Template | None:
        """The template whose text the run streams to its readers, for types that have one."""
        return None
