"""Which datasets an app asks: kept whenever its configuration or its graph is saved, and all that its runs may ask.

Whoever saves it adds what they may see themselves, of their own tenant; what the app asks already stays. Other ids are
ignored, as after an import from elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import TextField
from django.db.models.functions import Cast

from accounts.models import Membership
from accounts.services import tenants
from apps.models import App, DatasetUse
from datasets.models import Dataset
from datasets.models.dataset import DatasetRows
from datasets.services import access
from difyproj.kernel import ids
from workflows.models import Workflow

NODE: Final = "knowledge-retrieval"


@transaction.atomic
def keep(app: App, named: Iterable[Any], *, by: UUID | None) -> None:
    """The app asks these, and no others; ``by`` None saves for the instance itself."""
    wanted, known = {key for one in named if (key := ids.parse(one)) is not None}, _known(app)
    gone = known - wanted
    if gone:
        DatasetUse.objects.for_tenant(app.tenant_id).filter(app=app, dataset_id__in=gone).delete()
    if new := wanted - known:
        allowed = _visible(app.tenant_id, by).filter(pk__in=new).values_list("pk", flat=True)
        rows = [DatasetUse(tenant_id=app.tenant_id, app=app, dataset_id=key) for key in allowed]
        DatasetUse.objects.bulk_create(rows, ignore_conflicts=True)


def keep_graph(app: App, row: Workflow, *, by: UUID | None) -> None:
    """The same for a version that was saved; what other versions name is still asked by them."""
    named, known = in_graph(row.graph), {str(key) for key in _known(app)}
    if named == known:
        return
    others = Workflow.objects.for_tenant(app.tenant_id).filter(app=app).exclude(pk=row.pk)
    stays = {key for key in known - named if _is_named(others, key)}
    keep(app, named | stays, by=by)


def in_graph(graph: Mapping[str, Any]) -> set[str]:
    """The ids that a graph's knowledge nodes name, at any depth."""
    found: set[str] = set()
    for node in graph.get("nodes") or ():
        data = node.get("data") if isinstance(node, Mapping) else None
        if isinstance(data, Mapping) and data.get("type") == NODE:
            found.update(str(one) for one in _listed(data.get("dataset_ids")))
    return found


def _known(app: App) -> set[UUID]:
    return set(DatasetUse.objects.for_tenant(app.tenant_id).filter(app=app).values_list("dataset_id", flat=True))


def _listed(value: Any) -> Collection[Any]:
    return value if isinstance(value, list | tuple) else ()


def _is_named(rows: Any, key: str) -> bool:
    return bool(rows.annotate(text=Cast("graph", TextField())).filter(text__contains=key).exists())


def _visible(tenant_id: UUID, by: UUID | None) -> DatasetRows:
    if by is None:
        return Dataset.objects.for_tenant(tenant_id)
    member = Membership.objects.for_tenant(tenant_id).filter(account_id=by).first()
    rows = Dataset.objects.for_tenant(tenant_id)
    return rows.none() if member is None else access.visible_to(tenants.principal(member))
