"""The chosen members of a dataset, and who may choose them."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from accounts.models import Membership
from datasets.models import Dataset, DatasetMember, Permission
from difyproj.kernel.errors import Forbidden, InvalidParam
from difyproj.kernel.principal import Principal


def demand_sharing(principal: Principal, dataset: Dataset, permission: str | None, chosen: Iterable[UUID] | None) -> None:
    """Raises Forbidden where a role that may not share would change with whom the dataset is shared."""
    if principal.can("dataset.share"):
        return
    changed = permission not in (None, dataset.permission)
    if changed or (chosen is not None and set(chosen) != set(_accounts(dataset))):
        raise Forbidden("Dataset operators cannot change the dataset permissions.")


def choose(dataset: Dataset, account_ids: Iterable[UUID]) -> None:
    """These members and no others. In a transaction that holds the dataset. Raises InvalidParam for who is no member."""
    wanted = set(account_ids)
    known = Membership.objects.for_tenant(dataset.tenant_id).filter(account_id__in=wanted).values_list("account_id", flat=True)
    if wanted - set(known):
        raise InvalidParam("A chosen member is no member of the workspace.", params="partial_member_list")
    kept = set(_accounts(dataset))
    DatasetMember.objects.filter(dataset=dataset).exclude(account_id__in=wanted).delete()
    DatasetMember.objects.bulk_create(
        DatasetMember(tenant_id=dataset.tenant_id, dataset=dataset, account_id=account_id) for account_id in wanted - kept
    )


def chosen(dataset: Dataset) -> list[UUID]:
    """Their accounts; nobody where the dataset is not shared with chosen members."""
    return _accounts(dataset) if dataset.permission == Permission.PARTIAL else []


def _accounts(dataset: Dataset) -> list[UUID]:
    return [row.account_id for row in dataset.members.all()]
