"""The version of an app's graph that a run takes, with its features and its start's form parsed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Final
from uuid import UUID

from apps.models import App
from apps.modes import flow
from apps.modes.flow import Flow
from workflows.models import Workflow
from workflows.services import graphs, runnable
from workflows.services.runnable import Runnable

MOST: Final = 1_000

_lock = Lock()
_parsed: dict[tuple[UUID, str], Version] = {}


@dataclass(frozen=True, slots=True)
class Version:
    """A version ready to run and what the mode needs of it."""

    runnable: Runnable
    flow: Flow


def load(app: App, target: str, entry: str = "") -> Version:
    """The version that ``target`` names, begun at ``entry`` (``GenerateRequest``); no query while warm. Raises what
    ``runnable.version`` raises, and AppUnavailable for features that cannot be read or an entry that is none."""
    return _version(runnable.version(app, target), entry)


def of_row(row: Workflow, graph: Mapping[str, Any] | None, entry: str = "") -> Version:
    """The row's version for a run that goes on; ``graph`` is what it began with, where the row may have changed since."""
    if graph is not None:
        row.graph = dict(graph)
    return _made(runnable.made(row), entry)


def with_graph(version: Version, raw: Mapping[str, Any]) -> Version:
    """The version with another graph in its place."""
    return _made(replace(version.runnable, graph=graphs.bind(raw), raw=raw), "")


def _version(found: Runnable, entry: str) -> Version:
    key = (found.workflow_id, entry)
    with _lock:
        known = _parsed.get(key)
    if known is not None and known.runnable is found:
        return known
    made = _made(found, entry)
    with _lock:
        if len(_parsed) >= MOST:
            _parsed.clear()
        _parsed[key] = made
    return made


def _made(found: Runnable, entry: str) -> Version:
    return Version(found, flow.bind(found.graph, found.features, found.conversation_variables, entry=entry))
