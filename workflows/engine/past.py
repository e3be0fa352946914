"""What is known of a run that goes on after a crash or a pause: what is done already, and what was begun and announced."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from . import usage as costs
from .events import (
    ContainerFinished,
    ContainerNext,
    ContainerStarted,
    HumanInputExpired,
    HumanInputFilled,
    HumanInputRequired,
    NodeFinished,
    NodeRetried,
    Place,
    RunEvent,
)
from .node import FormAnswer
from .state import RunState

Key = tuple[str, Place | None]

_ENDED = frozenset({"succeeded", "exception", "failed"})


@dataclass(slots=True)
class Past:
    """``finished`` holds the ends of nodes, in order; ``begun`` the execution ids of those that have no end; ``answers`` what
    people answered, by execution (or, of the graph's own nodes, by node); ``waiting`` the forms that still wait;
    ``announced`` the other boundary events that were shown. ``places`` are those in which something was begun.
    """

    finished: Sequence[NodeFinished] = ()
    begun: Mapping[Key, str] = field(default_factory=dict)
    answers: Mapping[str, FormAnswer] = field(default_factory=dict)
    waiting: Sequence[HumanInputRequired] = ()
    announced: Collection[RunEvent] = ()
    places: set[Place | None] = field(default_factory=set)
    _at: dict[Place | None, list[NodeFinished]] = field(default_factory=dict)
    _waiting: set[Key] = field(default_factory=set)
    _told: set[tuple[object, ...] | None] = field(default_factory=set)

    def __post_init__(self) -> None:
        if not (self.finished or self.begun or self.announced):
            return
        self.finished = [event for event in self.finished if event.status in _ENDED]
        done = {(event.node_id, event.place) for event in self.finished}
        asked = {form.execution_id: (form.node_id, None) for form in self.waiting}
        self._waiting = {*(asked | {name: key for key, name in self.begun.items() if name in asked}).values()}
        self.begun = {key: name for key, name in self.begun.items() if key not in done}
        for event in self.finished:
            self._at.setdefault(event.place, []).append(event)
        self.places = {*self._at, *(place for _, place in self.begun)}
        self._told = {_identity(event) for event in self.announced} - {None}

    def at(self, place: Place | None) -> Sequence[NodeFinished]:
        """The ends of nodes in this place, in order."""
        return self._at.get(place, ())

    def waits(self, node_id: str, place: Place | None) -> bool:
        """Whether nobody has answered yet what the node asked."""
        return (node_id, place) in self._waiting

    def answer(self, node_id: str, place: Place | None) -> FormAnswer | None:
        """What the node's execution was answered."""
        found = self.answers.get(self.begun.get((node_id, place), ""))
        return found if found is not None or place is not None else self.answers.get(node_id)

    def inside(self, container_id: str, place: Place | None) -> list[NodeFinished]:
        """The ends of nodes in the container that runs at ``place``, at any depth, by round and then in order."""
        found = []
        for order, event in enumerate(self.finished):
            step = event.place
            while step is not None and not (step.container_id == container_id and step.outer == place):
                step = step.outer
            if step is not None:
                found.append((step.round, order, event))
        return [event for _, _, event in sorted(found, key=lambda each: each[:2])]

    def was_told(self, event: RunEvent) -> bool:
        """True, once, for an event that readers have seen."""
        key = _identity(event)
        if key not in self._told:
            return False
        self._told.discard(key)
        return True

    def recall(self, state: RunState) -> None:
        """Put what is done into ``state``."""
        state.steps += len(self.finished) + len(self.begun)
        state.exceptions += sum(event.status == "exception" for event in self.finished)
        for event in self.finished:
            if event.usage is not None:
                state.spent = costs.add(state.spent, event.usage)


def _identity(event: RunEvent) -> tuple[object, ...] | None:
    """What makes it the same event when the run does the same again; None for kinds that are never repeated."""
    if isinstance(event, ContainerNext):
        return type(event), event.node_id, event.place, event.index
    if isinstance(event, NodeRetried):
        return type(event), event.node_id, event.place, event.retry_index
    if isinstance(event, ContainerStarted | ContainerFinished):
        return type(event), event.node_id, event.place
    if isinstance(event, HumanInputFilled | HumanInputExpired | HumanInputRequired):
        return type(event), event.node_id, event.execution_id
    return None
