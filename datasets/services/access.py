"""Who of a tenant may see and change which dataset: told by the queryset, and asked again before a write.

A dataset is for whoever made it, for all members, or for whoever made it and chosen members. The owner of the workspace sees
each, and a dataset key acts for the owner.
"""

from __future__ import annotations

from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from datasets.models import Dataset, DatasetMember, Permission
from datasets.models.dataset import DatasetRows
from difyproj.kernel import ids
from difyproj.kernel.errors import Forbidden
from difyproj.kernel.principal import Principal

from .refusals import DatasetNotFound


def visible_to(principal: Principal) -> DatasetRows:
    """The datasets that the principal may see."""
    rows = Dataset.objects.for_tenant(principal.tenant_id)
    return rows if principal.can("dataset.all") else shared_with(principal)


def shared_with(principal: Principal) -> DatasetRows:
    """Those that are the principal's own or shared with it, be it the owner or not."""
    chosen = DatasetMember.objects.filter(dataset=OuterRef("pk"), account_id=principal.actor_id)
    return Dataset.objects.for_tenant(principal.tenant_id).filter(
        Q(permission=Permission.ALL)
        | Q(created_by_id=principal.actor_id)
        | (Q(permission=Permission.PARTIAL) & Q(Exists(chosen)))
    )


def get(principal: Principal, dataset_id: UUID | str) -> Dataset:
    """Raises DatasetNotFound, also for what exists and is not for the principal."""
    key = ids.parse(dataset_id)
    found = visible_to(principal).select_related("external_api").filter(pk=key).first() if key else None
    if found is None:
        raise DatasetNotFound
    return found


def locked(principal: Principal, dataset_id: UUID | str) -> Dataset:
    """The row as it is now, for a write. In a transaction. Raises DatasetNotFound, and Forbidden for who may only look."""
    demand_edit(principal)
    key = ids.parse(dataset_id)
    found = visible_to(principal).select_for_update().filter(pk=key).first() if key else None
    if found is None:
        raise DatasetNotFound
    return found


def demand_edit(principal: Principal) -> None:
    """Raises Forbidden for a role that may only look at datasets."""
    if not principal.can("dataset.edit"):
        raise Forbidden
