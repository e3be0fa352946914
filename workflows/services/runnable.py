"""Graphs ready to run, by alias: parsed, bound and with their variables opened; published ones without a query while warm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from apps.models import App
from difyproj.infra.cache import Cached
from difyproj.kernel import ids
from difyproj.kernel.errors import AppUnavailable, BadRequest
from workflows.engine.graph import BoundGraph, GraphError
from workflows.models import DRAFT, Workflow

from . import drafts, environment, graphs, versions

PUBLISHED: Final = "published"


class NotPublished(AppUnavailable):
    default_message = "The workflow is not published."


@dataclass(frozen=True, slots=True)
class Runnable:
    """One version. ``raw`` is the graph as its row holds it; ``environment`` holds values by name, secrets in the clear;
    ``secrets`` are the values of those, ``private`` their names.

    Shared by every run of it: nobody changes what is inside.
    """

    workflow_id: UUID
    version: str
    graph: BoundGraph = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False)
    features: Mapping[str, Any] = field(repr=False)
    environment: Mapping[str, Any] = field(repr=False)
    conversation_variables: Sequence[Mapping[str, Any]] = field(repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    private: frozenset[str] = frozenset()

    @property
    def is_draft(self) -> bool:
        return self.version == DRAFT


# By app and alias: the newest version, or the id of one.
_runnable: Cached[Runnable] = Cached("published_workflows", ttl=300.0, max_entries=1_000)


def published(app: App) -> Runnable:
    """What runs when the app is asked; no query while warm. Raises NotPublished, or AppUnavailable for a broken graph."""
    return _runnable.get((app.pk, PUBLISHED), lambda: _newest(app))


def version(app: App, alias: str) -> Runnable:
    """By ``draft``, ``published`` or the id of a version. Only published ones are remembered.

    Raises BadRequest for a text that is no alias, WorkflowNotFound for an unknown id, DraftWorkflowNotExist, and GraphError
    (InvalidParam) for a draft that cannot run.
    """
    if alias == PUBLISHED:
        return published(app)
    if alias == DRAFT:
        return made(drafts.get(app))
    key = ids.parse(alias)
    if key is None:
        raise BadRequest("A version is draft, published or the id of one.")
    return _runnable.get((app.pk, key), lambda: _published(versions.get(app, key)))


def made(row: Workflow) -> Runnable:
    """Raises GraphError naming node and field."""
    hidden = frozenset(item["name"] for item in row.environment_variables if item["value_type"] == "secret")
    values = environment.values(row)
    return Runnable(
        workflow_id=row.pk,
        version=row.version,
        graph=graphs.bind(row.graph),
        raw=row.graph,
        features=row.features,
        environment=values,
        conversation_variables=row.conversation_variables,
        secrets=frozenset(str(values[name]) for name in hidden if values[name]),
        private=hidden,
    )


def _newest(app: App) -> Runnable:
    row = versions.newest(app)
    if row is None:
        raise NotPublished
    return _published(row)


def _published(row: Workflow) -> Runnable:
    """A graph that could run when it was published, and cannot any more, is no fault of the caller."""
    try:
        return made(row)
    except GraphError as error:
        raise AppUnavailable(f"App unavailable, its workflow is broken: {error.message}") from error


@receiver((post_save, post_delete), sender=Workflow, dispatch_uid="forget_runnable_workflows")
def _forget(instance: Workflow, **_: Any) -> None:
    if instance.version != DRAFT:
        _runnable.invalidate((instance.app_id, PUBLISHED))
        _runnable.invalidate((instance.app_id, instance.pk))
