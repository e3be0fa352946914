"""Who is in a workspace, and what one member may do to another. Only the owner lays hands on an admin."""

from __future__ import annotations

from uuid import UUID

from accounts.models import Account, Membership, Tenant
from accounts.policies import Role
from accounts.services import tenants
from difyproj.kernel import ids
from difyproj.kernel.errors import DomainError, Forbidden, NotFound


class MemberNotFound(NotFound):
    code = "member-not-found"
    default_message = "The account is no member of the workspace."


class CannotOperateSelf(DomainError):
    code = "cannot-operate-self"
    default_message = "You cannot do this to yourself."


def of(tenant: Tenant, *roles: Role) -> list[Membership]:
    """The tenant's members, of these roles if any are named, with their accounts."""
    rows = Membership.objects.for_tenant(tenant).select_related("account").order_by("created_at")
    return list(rows.filter(role__in=roles) if roles else rows)


def change_role(actor: Membership, *, member_id: UUID | str, role: str) -> Membership:
    return tenants.change_role(membership=_touchable(actor, member_id), role=role)


def remove(actor: Membership, *, member_id: UUID | str) -> Account:
    """The account that left. Raises MemberNotFound, CannotOperateSelf, Forbidden."""
    row = _touchable(actor, member_id)
    tenants.remove_member(membership=row)
    return row.account


def _touchable(actor: Membership, member_id: UUID | str) -> Membership:
    key = ids.parse(member_id)
    rows = Membership.objects.for_tenant(actor.tenant_id).select_related("account")
    row = rows.filter(account_id=key).first() if key else None
    if row is None:
        raise MemberNotFound
    if row.account_id == actor.account_id:
        raise CannotOperateSelf
    if row.role == Role.OWNER or (row.role == Role.ADMIN and actor.role != Role.OWNER):
        raise Forbidden("Only the owner may do this to an admin, and nobody to the owner.")
    return row
