"""The draft of an app's graph: the one version that changes, saved by whoever holds its present fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.services import model_access
from apps.models import App
from difyproj.kernel import clock
from difyproj.kernel.errors import DraftWorkflowNotExist, DraftWorkflowNotSync, InvalidParam
from difyproj.model_runtime.base import ModelType
from workflows.models import DRAFT, Workflow

from . import dataset_uses, environment, graphs
from .definitions import CONVERSATION, checked


def get(app: App) -> Workflow:
    """The app's draft. Raises DraftWorkflowNotExist."""
    found = _rows(app).first()
    if found is None:
        raise DraftWorkflowNotExist
    return found


def get_or_create(app: App, *, by: UUID | None = None) -> Workflow:
    """The app's draft; a new app gets its mode's first graph, on the workspace's default model."""
    found = _rows(app).first()
    if found is not None:
        return found
    default = model_access.default_model(app.tenant_id, ModelType.LLM)
    model = {"provider": default.provider, "name": default.model} if default else None
    return save(app, by=by, given_hash=None, graph=graphs.first(app.mode, model), features={})


@transaction.atomic
def save(
    app: App,
    *,
    by: UUID | None,
    given_hash: str | None,
    graph: Any = None,
    features: Any = None,
    environment_variables: Any = None,
    conversation_variables: Any = None,
) -> Workflow:
    """Save the parts that are given; the first save makes the draft.

    ``given_hash`` is the fingerprint that the caller last read; None saves whatever happened in between (imports, restores,
    panels of one part). What is saved twice, as leaving pages do, is saved once. Raises DraftWorkflowNotSync when the draft
    was changed elsewhere, InvalidParam for parts of the wrong shape.
    """
    row = _locked(app, by)
    _fill(row, graph, features, environment_variables, conversation_variables)
    before, row.hash = row.hash, graphs.fingerprint(row)
    if row.hash == before:
        return row
    if given_hash is not None and before and given_hash != before:
        raise DraftWorkflowNotSync
    row.updated_by_id, row.updated_at = by, clock.now()
    row.save()
    dataset_uses.keep_graph(app, row, by=by)
    return row


def shown_environment(app: App) -> list[dict[str, Any]]:
    """The draft's environment variables, secrets masked. Raises DraftWorkflowNotExist."""
    return environment.shown(get(app))


def node_type(row: Workflow, node_id: str) -> str:
    """Empty for a node that is not there."""
    return str(node_data(row, node_id).get("type") or "")


def node_data(row: Workflow, node_id: str) -> Mapping[str, Any]:
    """Empty for a node that is not there."""
    data = next((node.get("data") for node in row.graph.get("nodes", ()) if node.get("id") == node_id), None)
    return data if isinstance(data, Mapping) else {}


def _rows(app: App) -> Any:
    return Workflow.objects.for_tenant(app.tenant_id).filter(app=app).drafts().select_related("tenant")


def _locked(app: App, by: UUID | None) -> Workflow:
    """The draft, which nobody else saves until this transaction ends; a new one has no fingerprint yet.

    Where there is none, the app is locked instead, so that two first saves make one draft.
    """
    found: Workflow | None = _rows(app).select_for_update(of=("self",)).first()
    if found is None:
        App.objects.select_for_update(no_key=True).get(pk=app.pk)
        found = _rows(app).select_for_update(of=("self",)).first()
    return found or Workflow(tenant=app.tenant, app=app, version=DRAFT, created_by_id=by)


def _fill(row: Workflow, graph: Any, features: Any, environment_variables: Any, conversation_variables: Any) -> None:
    if graph is not None:
        row.graph = graphs.checked(graph)
    if features is not None:
        if not isinstance(features, Mapping):
            raise InvalidParam("features must be an object.", params="features")
        row.features = graphs.cleaned(features, "features")
    if environment_variables is not None:
        environment.put(row, environment.merged(row, environment_variables, app_id=row.app_id))
    if conversation_variables is not None:
        row.conversation_variables = checked(conversation_variables, field=CONVERSATION, app_id=row.app_id)
