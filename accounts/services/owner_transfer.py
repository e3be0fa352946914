"""A workspace's new owner, in three steps: a code to the present owner's address, its proof, the transfer."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction

from accounts.models import Account, Challenge, Membership, Purpose, Tenant
from accounts.policies import Role
from accounts.services import challenges, letters, refusals, tenants
from difyproj.kernel import ids
from difyproj.kernel.errors import DomainError

PURPOSE: Final = Purpose.TRANSFER_OWNER


class CannotTransferOwnerToSelf(DomainError):
    code = "cannot_transfer_owner_to_self"
    default_message = "You own the workspace already."


class MemberNotInTenant(DomainError):
    code = "member_not_in_tenant"
    default_message = "The account is no member of the workspace."


def send(owner: Account, tenant: Tenant, *, language: str, ip: str | None) -> str:
    _demand_owner(owner, tenant)
    return challenges.send(
        PURPOSE, email=owner.email, language=language, ip=ip, account=owner, data={"tenant_id": str(tenant.pk)},
        workspace=letters.plain(tenant.name),
    )  # fmt: skip


def check(owner: Account, tenant: Tenant, *, code: str, token: str) -> str:
    """The token of the transfer itself, for a code that was right."""
    _demand_owner(owner, tenant)
    _demand_own(challenges.look(token, PURPOSE), owner, tenant)
    return challenges.verify(token, PURPOSE, code=code).token


@transaction.atomic
def finish(owner: Account, tenant: Tenant, *, to: UUID | str, proof: str) -> Membership:
    """The member owns the workspace, the owner until now becomes an admin, and both are told."""
    _demand_owner(owner, tenant)
    key = ids.parse(to)
    if key == owner.pk:
        raise CannotTransferOwnerToSelf
    rows = Membership.objects.for_tenant(tenant).select_related("account")
    heir = rows.filter(account_id=key).first() if key else None
    if heir is None:
        raise MemberNotInTenant
    _demand_own(challenges.look(proof, PURPOSE, stage=challenges.VERIFIED), owner, tenant)
    challenges.take(proof, PURPOSE)
    new = tenants.transfer_ownership(tenant=tenant, to=heir.account, by=owner)
    facts = {"workspace": letters.plain(tenant.name), "new_owner": heir.account.email}
    for reader in (owner, heir.account):
        letters.post(letters.write("owner_transferred", language=reader.interface_language, **facts), to=reader.email)
    return new


def _demand_owner(account: Account, tenant: Tenant) -> None:
    if not Membership.objects.for_tenant(tenant).filter(account=account, role=Role.OWNER).exists():
        raise tenants.NotOwner


def _demand_own(row: Challenge | None, owner: Account, tenant: Tenant) -> None:
    if row is None or row.account_id != owner.pk or row.data["tenant_id"] != str(tenant.pk):
        raise refusals.InvalidToken
