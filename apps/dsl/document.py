"""A DSL file as the rows of an app see it: what they hold, and the leftovers that only the way back needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from . import checklist
from .errors import DslError
from .versions import CURRENT, OLDEST

KIND: Final = "app"
GRAPH_MODES: Final = frozenset({"workflow", "advanced-chat"})
CONFIG_MODES: Final = frozenset({"chat", "agent-chat", "completion"})
ICON_TYPES: Final = frozenset({"emoji", "image", "link"})
EMOJI, EMOJI_BACKGROUND, NAMELESS = "🤖", "#FFEAD5", "Untitled"
_LONGEST: Final = {"name": 255, "icon": 255, "icon_background": 32}
_IN_FILE: Final = frozenset({"app", "kind", "version", "dependencies"})
_IN_APP: Final = frozenset({"name", "mode", "description", "icon_type", "icon", "icon_background", "use_icon_as_answer_icon"})
_IN_WORKFLOW: Final = frozenset({"graph", "features", "environment_variables", "conversation_variables"})


@dataclass(frozen=True, slots=True)
class Looks:
    """The ``app`` section."""

    name: str
    mode: str
    description: str = ""
    icon_type: str = "emoji"
    icon: str = EMOJI
    icon_background: str = EMOJI_BACKGROUND
    use_icon_as_answer_icon: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """The ``workflow`` section. ``graph`` is as the file has it, but for what the checklist takes out."""

    graph: Mapping[str, Any]
    features: Mapping[str, Any] = field(default_factory=dict)
    environment_variables: Sequence[Mapping[str, Any]] = ()
    conversation_variables: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What no row of an app has a place for. ``dependencies`` is None where the file names none."""

    file: Mapping[str, Any] = field(default_factory=dict)
    app: Mapping[str, Any] = field(default_factory=dict)
    workflow: Mapping[str, Any] = field(default_factory=dict)
    dependencies: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """``flow`` for the modes that are graphs, ``config`` for the others. ``version`` is the file's."""

    app: Looks
    config: Mapping[str, Any] | None = None
    flow: Flow | None = None
    leftovers: Leftovers = Leftovers()
    version: str = CURRENT


def parse(raw: Mapping[str, Any]) -> Document:
    """The document in a file's mapping. Raises DslError for what is no app or lacks what its mode needs."""
    section = raw.get("app")
    if not isinstance(section, Mapping) or not section:
        raise DslError("Missing app data in YAML content", params="app")
    if raw.get("kind") not in (None, "", KIND):
        raise DslError(f"This file holds no app but a {str(raw['kind'])[:64]}", params="kind")
    looks = _looks(section)
    is_graph = looks.mode in GRAPH_MODES
    used = "workflow" if is_graph else "model_config"
    body = _body(raw, used, looks.mode)
    dependencies = raw.get("dependencies")
    leftovers = Leftovers(
        file=_rest(raw, _IN_FILE | {used}),
        app=_rest(section, _IN_APP),
        workflow=_rest(body, _IN_WORKFLOW) if is_graph else {},
        dependencies=dependencies if isinstance(dependencies, Sequence) and not isinstance(dependencies, str) else None,
    )
    return Document(
        app=looks,
        config=None if is_graph else body,
        flow=_flow(body) if is_graph else None,
        leftovers=leftovers,
        version=str(raw.get("version") or OLDEST),
    )


def compose(document: Document, dependencies: Sequence[Any]) -> dict[str, Any]:
    """The mapping of a file that ``parse`` takes back, in this version of the DSL."""
    looks, leftovers = document.app, document.leftovers
    made: dict[str, Any] = {
        **leftovers.file,
        "version": CURRENT,
        "kind": KIND,
        "dependencies": list(dependencies),
        "app": {**leftovers.app, **{name: getattr(looks, name) for name in _IN_APP}},
    }
    if document.config is not None:
        made["model_config"] = document.config
    if document.flow is not None:
        made["workflow"] = {**leftovers.workflow, **{name: getattr(document.flow, name) for name in _IN_WORKFLOW}}
    return made


def _rest(section: Mapping[str, Any], known: frozenset[str] | set[str]) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name not in known}


def _body(raw: Mapping[str, Any], name: str, mode: str) -> Mapping[str, Any]:
    body = raw.get(name)
    if not isinstance(body, Mapping) or not body:
        raise DslError(f"Missing {name} data: an app of the mode {mode} needs it", params=name)
    return body


def _looks(section: Mapping[str, Any]) -> Looks:
    mode = str(section.get("mode"))
    if mode not in GRAPH_MODES | CONFIG_MODES:
        known = ", ".join(sorted(GRAPH_MODES | CONFIG_MODES))
        raise DslError(f"Unknown app mode {mode[:64]!r}; known: {known}", params="app.mode")
    icon_type = _text(section, "icon_type")
    icon, background = _text(section, "icon"), _text(section, "icon_background")
    if icon_type == "image":
        # It names an upload of the workspace that the file comes from.
        icon_type = icon = background = ""
    return Looks(
        name=_text(section, "name") or NAMELESS,
        mode=mode,
        description=_text(section, "description"),
        icon_type=icon_type if icon_type in ICON_TYPES else "emoji",
        icon=icon or EMOJI,
        icon_background=background or EMOJI_BACKGROUND,
        use_icon_as_answer_icon=section.get("use_icon_as_answer_icon") is True,
    )


def _text(section: Mapping[str, Any], name: str) -> str:
    value = section.get(name)
    text = "" if value is None else str(value)
    if len(text) > _LONGEST.get(name, len(text)):
        raise DslError(f"app.{name} has more than {_LONGEST[name]} characters", params=f"app.{name}")
    return text


def _flow(body: Mapping[str, Any]) -> Flow:
    features = body.get("features")
    if features is not None and not isinstance(features, Mapping):
        raise DslError("workflow.features must be a mapping", params="workflow.features")
    return Flow(
        graph=checklist.graph(body.get("graph")),
        features=features or {},
        environment_variables=checklist.variables(body, "environment_variables"),
        conversation_variables=checklist.variables(body, "conversation_variables"),
    )
