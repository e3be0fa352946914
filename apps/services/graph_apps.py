"""Apps that are graphs: the features and the form of their published version, parsed once for as long as it is kept."""

from __future__ import annotations

from threading import Lock
from typing import Final
from uuid import UUID

from apps.config import AppConfig
from apps.models import App
from apps.modes import flow
from workflows.models import DRAFT
from workflows.services import runnable
from workflows.services.runnable import Runnable

MOST: Final = 1_000

_lock = Lock()
_parsed: dict[UUID, tuple[Runnable, AppConfig]] = {}


def configuration(app: App) -> AppConfig:
    """No query while warm. Raises AppUnavailable before the first publication, and for a graph that is broken."""
    found = runnable.published(app)
    with _lock:
        known = _parsed.get(found.workflow_id)
    if known is not None and known[0] is found:
        return known[1]
    config = _of(found)
    with _lock:
        if len(_parsed) >= MOST:
            _parsed.clear()
        _parsed[found.workflow_id] = (found, config)
    return config


def draft_configuration(app: App) -> AppConfig:
    """Of the draft as it is now. Raises DraftWorkflowNotExist, and InvalidParam or AppUnavailable for one that is broken."""
    return _of(runnable.version(app, DRAFT))


def _of(found: Runnable) -> AppConfig:
    return flow.bind(found.graph, found.features).config
