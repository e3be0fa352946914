"""Published versions of an app's graph: made of the draft, named, listed, deleted, taken back into the draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, Subquery

from apps.models import App, RunStatus
from difyproj.infra.paging import Page, page_of
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import BadRequest, DraftWorkflowNotExist, InvalidParam, WorkflowNotFound
from workflows.engine.graph import BoundGraph, GraphError
from workflows.models import Workflow, WorkflowRun

from . import dataset_uses, drafts, environment, graphs, triggers

LONGEST_NAME: Final = 255
LONGEST_COMMENT: Final = 5_000
# What lists of apps tell.
BRIEF: Final = ("app_id", "created_by_id", "created_at", "updated_by_id", "updated_at")
UNFINISHED: Final = (RunStatus.RUNNING, RunStatus.PAUSED)


@transaction.atomic
def publish(app: App, *, by: UUID | None, marked_name: str = "", marked_comment: str = "") -> Workflow:
    """The draft as a new version, which runs from now on; the app's triggers follow it.

    Raises DraftWorkflowNotExist, and InvalidParam naming node and field for a graph that cannot run.
    """
    draft = Workflow.objects.for_tenant(app.tenant_id).filter(app=app).drafts().select_for_update().first()
    if draft is None:
        raise DraftWorkflowNotExist
    _demand_one_start(graphs.bind(draft.graph))
    now = clock.now()
    row = Workflow(
        tenant=app.tenant,
        app=app,
        version=f"{now:%Y-%m-%d %H:%M:%S.%f}",
        graph=draft.graph,
        features=draft.features,
        conversation_variables=draft.conversation_variables,
        hash=draft.hash,
        marked_name=_name(marked_name),
        marked_comment=_comment(marked_comment),
        created_by_id=by,
        updated_by_id=by,
        created_at=now,
        updated_at=now,
    )
    environment.put(row, environment.opened(draft))
    row.save(force_insert=True)
    triggers.sync(app, row)
    dataset_uses.keep_graph(app, row, by=by)
    return row


def newest(app: App) -> Workflow | None:
    """The published version, or None before the first."""
    return _rows(app).first()


def newest_of(tenant_id: UUID, app_ids: Sequence[UUID]) -> dict[UUID, Workflow]:
    """The published versions of these apps by the app's id, without their documents. One query."""
    rows = Workflow.objects.for_tenant(tenant_id).versions().filter(app_id__in=app_ids)
    newest = Workflow.objects.versions().filter(app_id=OuterRef("app_id")).values("pk")[:1]
    return {row.app_id: row for row in rows.filter(pk=Subquery(newest)).only(*BRIEF)}


def page(app: App, *, page: int, limit: int, by: UUID | None = None, named_only: bool = False) -> Page[Workflow]:
    """Published versions, newest first; ``by`` keeps those of one account."""
    rows = _rows(app)
    if by is not None:
        rows = rows.filter(created_by_id=by)
    if named_only:
        rows = rows.exclude(marked_name="")
    return page_of(rows, page=page, limit=limit)


def get(app: App, version_id: UUID | str) -> Workflow:
    """A published version of the app. Raises WorkflowNotFound."""
    key = ids.parse(version_id)
    found = _rows(app).filter(pk=key).first() if key else None
    if found is None:
        raise WorkflowNotFound
    return found


def rename(
    app: App, version_id: UUID | str, *, by: UUID | None, marked_name: str | None = None, marked_comment: str | None = None
) -> Workflow:
    """Change what is given; nothing else of a version ever changes."""
    row = get(app, version_id)
    row.marked_name = row.marked_name if marked_name is None else _name(marked_name)
    row.marked_comment = row.marked_comment if marked_comment is None else _comment(marked_comment)
    row.updated_by_id, row.updated_at = by, clock.now()
    row.save(update_fields=["marked_name", "marked_comment", "updated_by_id", "updated_at"])
    return row


@transaction.atomic
def delete(app: App, version_id: UUID | str) -> None:
    """Raises BadRequest for the version that is published and for one that a run still needs."""
    row = get(app, version_id)
    published = newest(app)
    if published is not None and published.pk == row.pk:
        raise BadRequest("The published version cannot be deleted.")
    runs = WorkflowRun.objects.for_tenant(app.tenant_id).filter(app=app, workflow_id=row.pk)
    if runs.filter(run__status__in=UNFINISHED).exists():
        raise BadRequest("A run of this version has not ended yet.")
    row.delete()


@transaction.atomic
def restore(app: App, version_id: UUID | str, *, by: UUID | None) -> Workflow:
    """The draft, which now holds what the version holds."""
    row = get(app, version_id)
    return drafts.save(
        app,
        by=by,
        given_hash=None,
        graph=row.graph,
        features=row.features,
        environment_variables=environment.opened(row),
        conversation_variables=row.conversation_variables,
    )


def _demand_one_start(graph: BoundGraph) -> None:
    """A run by hand has one place to begin; triggers, which say where they begin, may stand beside it."""
    starts = [name for name in graph.roots if graph.graph.nodes[name].type not in triggers.KINDS]
    if len(starts) > 1:
        raise GraphError(f"A graph needs exactly one node to begin with; found {', '.join(starts)}.", params="nodes")


def _rows(app: App) -> Any:
    return Workflow.objects.for_tenant(app.tenant_id).filter(app=app).versions().select_related("tenant")


def _name(text: str) -> str:
    return _short(text, LONGEST_NAME, "marked_name")


def _comment(text: str) -> str:
    return _short(text, LONGEST_COMMENT, "marked_comment")


def _short(text: str, most: int, field: str) -> str:
    cleaned = text.replace("\0", "")
    if len(cleaned) > most:
        raise InvalidParam(f"{field} must be at most {most} characters.", params=field)
    return cleaned
