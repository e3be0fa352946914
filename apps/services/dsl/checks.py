"""What of an app file is wrong or missing here, before it is imported and after."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from accounts.models import Tenant
from accounts.services.model_inventory import Inventory
from apps.dsl import plugins
from apps.dsl.document import Document
from apps.dsl.findings import Finding
from apps.dsl.needs import Kind, needs_of
from apps.dsl.report import Surroundings, is_covered, report
from apps.models import App
from datasets.models import Dataset
from difyproj.kernel import ids
from difyproj.model_runtime import catalogue

from .exports import document_of


def check(document: Document, tenant: Tenant | None = None) -> list[Finding]:
    """Every finding; what depends on a workspace only where one is given."""
    return report(document, Surroundings() if tenant is None else surroundings(tenant.pk, document))


def surroundings(tenant_id: UUID, document: Document) -> Surroundings:
    """What the workspace has of what the document needs."""
    inventory = Inventory(tenant_id)
    wanted = {need.name for need in needs_of(document) if need.kind is Kind.MODEL}
    known = {own for own in catalogue.names() if inventory.is_configured(own)}
    asked = known & {own for name in wanted if (own := _resolved(name))}
    return Surroundings(
        providers=frozenset(known),
        models=frozenset((own, entry.model) for own in asked for entry in inventory.models(own)),
        datasets=_datasets(tenant_id, document),
    )


def _datasets(tenant_id: UUID, document: Document) -> frozenset[str]:
    """Those of the document that are the workspace's. What another instance wrote under its own key is nobody's here."""
    named = {key: need.name for need in needs_of(document) if need.kind is Kind.DATASET and (key := ids.parse(need.name))}
    found = Dataset.objects.for_tenant(tenant_id).filter(pk__in=named).values_list("pk", flat=True) if named else ()
    return frozenset(named[key] for key in found)


def leaked_dependencies(app: App) -> list[Any]:
    """The plug-ins that the app was made with and whose work nothing here does."""
    here = Surroundings()
    return [row for row in plugins.required(document_of(app)) if not is_covered(plugins.plugin_of_row(row), here)]


def _resolved(name: str) -> str | None:
    try:
        return catalogue.resolve(name)
    except LookupError:
        return None
