"""Who is in a workspace, and what one member may do to another. Only the owner lays hands on an admin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from accounts.models import Account, Membership, Purpose, Tenant
from accounts.policies import Role
from accounts.services import challenges, invitations, tenants
from difyproj.infra import limits
from difyproj.kernel import ids
from difyproj.kernel.errors import DomainError, Forbidden, NotFound

INVITATION_RATE: Final = "500/d"


class MemberNotFound(NotFound):
    code = "member-not-found"
    default_message = "The account is no member of the workspace."


class CannotOperateSelf(DomainError):
    code = "cannot-operate-self"
    default_message = "You cannot do this to yourself."


class InvalidRole(DomainError):
    code = "invalid-role"
    default_message = "role must be one of: admin, editor, normal, dataset_operator."


@dataclass(frozen=True, slots=True)
class Invited:
    """``url`` is what the inviter may pass on; ``message`` why there is none."""

    email: str
    url: str = ""
    message: str = ""


def of(tenant: Tenant, *roles: Role) -> list[Membership]:
    """The tenant's members, of these roles if any are named, with their accounts."""
    rows = Membership.objects.for_tenant(tenant).select_related("account").order_by("created_at")
    return list(rows.filter(role__in=roles) if roles else rows)


def invite(actor: Membership, *, emails: Sequence[str], role: str, language: str) -> list[Invited]:
    """One result for each address, in their order: what is wrong with one does not hold up the others."""
    _demand_grantable(role)
    once: dict[str, str] = {}
    for email in emails:
        once.setdefault(Account.objects.normalize_email(email), email.strip())
    return [_invite(actor, email, role, language) for email in once.values()]


def change_role(actor: Membership, *, member_id: UUID | str, role: str) -> Membership:
    _demand_grantable(role)
    return tenants.change_role(membership=_touchable(actor, member_id), role=role)


def remove(actor: Membership, *, member_id: UUID | str) -> Account:
    """The account that left. Raises MemberNotFound, CannotOperateSelf, Forbidden."""
    row = _touchable(actor, member_id)
    tenants.remove_member(membership=row)
    return row.account


def _invite(actor: Membership, email: str, role: str, language: str) -> Invited:
    usage = limits.count(group="invitations", key=str(actor.tenant_id), rate=INVITATION_RATE)
    if usage is not None and usage.limited:
        return Invited(email, message="Too many invitations were sent. Please try again tomorrow.")
    try:
        challenges.count_sending(Purpose.INVITE, email=email, ip=None)
        url = invitations.invite(tenant=actor.tenant, email=email, role=role, invited_by=actor.account, language=language)
    except DomainError as error:
        return Invited(email, message=error.message)
    return Invited(email, url=url)


def _demand_grantable(role: str) -> None:
    if role not in set(Role) or role == Role.OWNER:
        raise InvalidRole(params="role")


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
