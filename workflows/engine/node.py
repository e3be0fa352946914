"""What a node is: typed data in, text and one Done out. A node never sees a tenant, a request, a row or a setting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from difyproj.kernel.errors import DomainError

from .events import Events, FileProduced, Place, ReasoningChunk, RunEvent, Usage
from .limits import Limits
from .pool import VariablePool
from .ports import Ports
from .state import RunState
from .template import Template

Data = TypeVar("Data")

AT_LEAST_ONCE, NEVER_AGAIN = "at_least_once", "never_again"


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
    metadata: Mapping[str, Any] = field(default_factory=dict)


class Form(msgspec.Struct, frozen=True):
    """What a person is asked: rendered Markdown, fields and actions in the DSL's own shapes.

    ``expires_in`` is in seconds; ``delivery`` lists the enabled delivery methods; ``defaults`` are the fields' resolved ones.
    """

    content: str
    inputs: Sequence[Mapping[str, Any]] = ()
    actions: Sequence[Mapping[str, Any]] = ()
    defaults: Mapping[str, Any] = {}
    delivery: Sequence[Mapping[str, Any]] = ()
    expires_in: float = 0.0


class FormAnswer(msgspec.Struct, frozen=True):
    """What came back: the chosen action and the fields' values, or that the time was over (``expired_at``, epoch seconds)."""

    action_id: str = ""
    values: Mapping[str, Any] = {}
    rendered_content: str = ""
    expired_at: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """The node waits for a person: the run goes on elsewhere and then pauses. Instead of Done, and nothing comes after it.

    When the run is resumed the node runs once more, with the answer in ``ctx.resumption``. A container has no form of its own:
    it waits with the nodes ``inside`` it, as ``RoundFinished.waiting`` tells of them.
    """

    form: Form | None = None
    inside: Sequence[Any] = ()


# A container also passes on the events of the nodes inside it.
NodeOutput = NodeText | ReasoningChunk | FileProduced | RunEvent | Done | Waiting
NodeStream = AsyncGenerator[NodeOutput, None]


class HistoryTurn(msgspec.Struct, frozen=True):
    """One earlier exchange of the conversation."""

    query: str
    answer: str


@dataclass(frozen=True, slots=True)
class NodeContext(Generic[Data]):
    """What one execution of a node sees. ``data`` is the node's parsed configuration, ``history`` runs oldest first.

    ``has_policy`` says that the graph states what follows a failure of this node: another try, or a strategy.
    """

    node_id: str
    data: Data
    pool: VariablePool
    ports: Ports
    state: RunState
    history: Sequence[HistoryTurn] = ()
    execution_id: str = ""
    title: str = ""
    children: Children | None = None
    resumption: FormAnswer | None = None
    has_policy: bool = False
    limits: Limits = field(default_factory=Limits)


class RoundFinished(RunEvent, frozen=True):
    """Between the engine and a container, never shown: how a round ended. ``broke`` says that a loop-end was reached,
    ``waiting`` that it has not ended, because people are asked in it."""

    error: DomainError | None = None
    broke: bool = False
    steps: int = 0
    total_tokens: int = 0
    waiting: Waiting | None = None


class Children(Protocol):
    """The nodes inside a container: its rounds run through here, each a walk of its own over ``pool``.

    ``place`` is where the container itself runs.
    """

    place: Place | None

    def was_begun(self, index: int) -> bool:
        """True when an earlier process had come to round ``index``: so the rounds before it were not the last."""

    def round(self, pool: VariablePool, index: int) -> Events:
        """The events of round ``index`` (from 0), in the end one RoundFinished. What an earlier process finished is not run
        again."""


class Node(ABC, Generic[Data]):
    """One node type, named by its row in the table.

    ``schema`` parses the graph's raw ``data``; ``run`` yields pieces and ends with exactly one Done. ``entry``
    marks types at which a run may begin. Types that speak to the user override ``answer``. ``retries`` says that the graph's
    ``retry_config`` counts here; ``repeats`` whether a node that a dead process had begun may run again. ``container`` is the
    kind of a type whose nodes hold others; ``breaks`` says that its nodes end the loop around them; ``replies`` that the
    output ``answer`` is a part of the run's answer.
    """

    schema: ClassVar[type]
    entry: ClassVar[bool] = False
    retries: ClassVar[bool] = False
    repeats: ClassVar[str] = AT_LEAST_ONCE
    container: ClassVar[str] = ""
    breaks: ClassVar[bool] = False
    replies: ClassVar[bool] = False

    @abstractmethod
    def run(self, ctx: NodeContext[Data]) -> NodeStream: ...

    @classmethod
    def answer(cls, data: Data) -> Template | None:
        """The template whose text the run streams to its readers, for types that have one."""
        return None

    @classmethod
    def writes(cls, data: Data) -> Iterable[Sequence[str]]:
        """Selectors of the variables that the node may assign to: text that shows them waits for it."""
        return ()
