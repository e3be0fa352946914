"""An app file becomes an app, or the draft of one that is there; one of a newer DSL waits to be confirmed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from accounts.models import Tenant
from apps.dsl import reader
from apps.dsl.document import GRAPH_MODES, Document, parse
from apps.dsl.errors import DslError
from apps.dsl.versions import CURRENT, Fit, fit
from apps.models import App, DslLeftovers
from difyproj.kernel import ids
from difyproj.kernel.errors import DomainError
from workflows.services import drafts

from .. import apps
from . import pending
from .exports import document_of


class Status(StrEnum):
    COMPLETED = "completed"
    WITH_WARNINGS = "completed-with-warnings"
    PENDING = "pending"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Looks:
    """What the one who imports chose instead of what the file says; empty is nothing."""

    name: str = ""
    description: str = ""
    icon_type: str = ""
    icon: str = ""
    icon_background: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Looks:
        return cls(**{field.name: given.get(field.name) or "" for field in fields(cls)})


AS_IN_FILE: Final = Looks()


@dataclass(frozen=True, slots=True)
class Result:
    """What an import came to. ``error`` says why it failed."""

    id: UUID
    status: Status
    app_id: UUID | None = None
    app_mode: str | None = None
    imported_dsl_version: str = ""
    error: str = ""
    current_dsl_version: str = CURRENT


def take(
    *, tenant: Tenant, by: UUID | None, content: str | bytes, looks: Looks = AS_IN_FILE, app_id: UUID | str | None = None
) -> Result:
    """The file as a new app, or over the app ``app_id`` of the tenant. Whatever is wrong is told in the result."""
    key = ids.new_id()
    try:
        document = parse(reader.read(content))
        target = target_of(tenant, app_id, document.app.mode)
        if fit(document.version) is Fit.PENDING:
            over = target.pk if target is not None else None
            row = pending.keep(tenant=tenant, by=by, content=content, looks=asdict(looks), app_id=over)
            return Result(row.pk, Status.PENDING, over, imported_dsl_version=document.version)
        app = build(tenant=tenant, by=by, document=document, looks=looks, over=target)
    except DomainError as error:
        return failed(error.message, key)
    return completed(key, Status(fit(document.version)), app, document)


def completed(key: UUID, status: Status, app: App, document: Document) -> Result:
    return Result(key, status, app.pk, app.mode, document.version)


def failed(error: str, key: UUID | None = None) -> Result:
    return Result(key or ids.new_id(), Status.FAILED, error=error)


@transaction.atomic
def build(*, tenant: Tenant, by: UUID | None, document: Document, looks: Looks, over: App | None = None) -> App:
    """The app of a document, all of it or nothing. Raises InvalidParam naming what of the document cannot be kept."""
    chosen = {**_looks_of(document), **{name: value for name, value in asdict(looks).items() if value}}
    if over is None:
        app = apps.create(tenant=tenant, mode=document.app.mode, config=document.config or {}, created_by_id=by, **chosen)
    else:
        app = apps.update(over, updated_by_id=by, **chosen)
    _keep(app, document, by)
    return app


@transaction.atomic
def copy(app: App, *, by: UUID, **settings: Any) -> App:
    """``apps.copy``, with the draft of a graph, its secrets too, and what else came with the app's file."""
    document = document_of(app, include_secret=True)
    made = apps.copy(app, by=by, **settings)
    _keep(made, document, by)
    return made


def _looks_of(document: Document) -> dict[str, Any]:
    return {name: value for name, value in asdict(document.app).items() if name != "mode"}


def target_of(tenant: Tenant, app_id: UUID | str | None, mode: str) -> App | None:
    """The app that is to be overwritten. Raises DslError."""
    if not app_id:
        return None
    key = ids.parse(app_id)
    found = App.objects.for_tenant(tenant).filter(pk=key).first() if key else None
    if found is None:
        raise DslError("App not found", params="app_id")
    if found.mode not in GRAPH_MODES:
        raise DslError("Only workflow or advanced chat apps can be overwritten", params="app_id")
    if found.mode != mode:
        raise DslError(f"The file holds an app of the mode {mode}, this app is of the mode {found.mode}", params="app_id")
    apps.demand_normal(found)
    return found


def _keep(app: App, document: Document, by: UUID | None) -> None:
    """What of a document is not in the app's own row."""
    _keep_leftovers(app, document)
    if document.flow is not None:
        drafts.save(
            app,
            by=by,
            given_hash=None,
            graph=document.flow.graph,
            features=document.flow.features,
            environment_variables=document.flow.environment_variables,
            conversation_variables=document.flow.conversation_variables,
        )


def _keep_leftovers(app: App, document: Document) -> None:
    parts = {name: value for name, value in asdict(document.leftovers).items() if value}
    rows = DslLeftovers.objects.for_tenant(app.tenant_id).filter(app=app)
    if parts:
        rows.update_or_create(app=app, defaults={"parts": parts})
    else:
        rows.delete()
