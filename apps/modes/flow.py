"""Graphs of an app's author: a version bound once for many runs, and the variables with which one run of it begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from apps import config as app_config
from apps.config import AppConfig
from difyproj.kernel.errors import AppUnavailable, InvalidParam
from workflows.engine.events import HumanInputRequired, NodeFinished, Place, RunEvent
from workflows.engine.graph import BoundGraph
from workflows.engine.limits import Limits
from workflows.engine.node import FormAnswer
from workflows.engine.pool import INPUTS, VariablePool

SYSTEM: Final = "sys"
ENVIRONMENT: Final = "env"
CONVERSATION: Final = "conversation"
SECRET: Final = "secret"  # noqa: S105  the name of a type
START: Final = "start"


@dataclass(frozen=True, slots=True)
class Flow:
    """``config`` holds the features and the form of the start, ``variables`` are the conversation's, as the graph declares
    them."""

    graph: BoundGraph
    config: AppConfig
    variables: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an earlier process came with the run: what ``workflows.engine.walk.run`` goes on from."""

    reason: str = ""
    finished: Sequence[NodeFinished] = ()
    begun: Mapping[tuple[str, Place | None], str] = field(default_factory=dict)
    answers: Mapping[str, FormAnswer] = field(default_factory=dict)
    waiting: Sequence[HumanInputRequired] = ()
    announced: Sequence[RunEvent] = ()


@dataclass(frozen=True, slots=True)
class FlowTurn:
    """What a run of a graph knows beyond its question: ``system`` is ``sys.*``, ``environment`` ``env.*``, ``private`` names
    the secrets in it. ``progress`` is there for a run that goes on."""

    flow: Flow
    system: Mapping[str, Any]
    environment: Mapping[str, Any] = field(default_factory=dict)
    conversation: Mapping[str, Any] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    progress: Progress | None = None
    private: frozenset[str] = frozenset()


def bind(
    graph: BoundGraph, features: Mapping[str, Any], variables: Sequence[Mapping[str, Any]] = (), *, entry: str = ""
) -> Flow:
    """``entry`` is where runs begin, the start where it is empty. Raises AppUnavailable when there is no such node, or when the
    features or the start's form cannot be read."""
    try:
        begun = graph.at(entry or _start(graph))
        config = app_config.parse({**features, "user_input_form": form(begun)})
    except InvalidParam as error:
        raise AppUnavailable(f"App unavailable, its workflow is broken: {error.message}") from error
    return Flow(begun, config, tuple(variables))


def _start(graph: BoundGraph) -> str:
    """The start among several nodes with which a run may begin."""
    starts = [name for name in graph.roots if graph.graph.nodes[name].type == START]
    return starts[0] if len(starts) == 1 else graph.entry


def form(graph: BoundGraph) -> list[Any]:
    """The start's variables, as the fields of an input form; what begins with a trigger has none."""
    spec = graph.graph.nodes[graph.entry]
    if spec.type != START:
        return []
    data = spec.data
    found = data.get("variables") if isinstance(data, Mapping) else getattr(data, "variables", None)
    return [item for item in found or () if isinstance(item, Mapping) and item.get("variable")]


def pool(inputs: Mapping[str, Any], turn: FlowTurn) -> VariablePool:
    """The variables with which the run begins. Old graphs ask the start itself for what is ``sys.*`` now."""
    system = turn.system
    old = {name: system[name] for name in ("query", "files") if name in system}
    made = VariablePool(
        {
            INPUTS: inputs,
            SYSTEM: system,
            ENVIRONMENT: turn.environment,
            CONVERSATION: turn.conversation,
            turn.flow.graph.entry: {**old, **{f"{SYSTEM}.{name}": value for name, value in old.items()}},
        }
    )
    for variable in turn.flow.variables:
        made.declare(CONVERSATION, str(variable["name"]), str(variable["value_type"]))
    for name in turn.private:
        made.declare(ENVIRONMENT, name, SECRET)
    return made
