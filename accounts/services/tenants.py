"""Create tenants and say who belongs to them. A tenant has exactly one owner at all times."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from accounts.models import Account, AccountStatus, Membership, Plan, Tenant, TenantStatus
from accounts.policies import Role, capabilities
from accounts.services import data_keys, sessions
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import Conflict, DomainError, InvalidParam
from difyproj.kernel.principal import ActorKind, Principal, Tier


class NotOwner(DomainError):
    code = "not_owner"
    default_message = "You are not the owner of the workspace."


@transaction.atomic
def create(*, name: str, owner: Account, plan: str = Plan.SANDBOX) -> Tenant:
    """A tenant with its own data key and its owner."""
    if plan not in Plan.values:
        raise InvalidParam(f"plan must be one of: {', '.join(Plan.values)}.", params="plan")
    tenant = Tenant(id=ids.new_id(), name=name, plan=plan)
    tenant.data_key = data_keys.new_wrapped(tenant.id)
    tenant.save(force_insert=True)
    _add(tenant, owner, Role.OWNER, None)
    return tenant


@transaction.atomic
def add_member(
    *, tenant: Tenant, account: Account, role: str, invited_by: Account | None = None, asked: bool = False
) -> Membership:
    """The account joins with any role but owner's; who is only ``asked`` has not accepted yet."""
    wanted = _grantable(role)
    if _locked(tenant).status != TenantStatus.NORMAL:
        raise Conflict("The workspace is archived.", params="tenant")
    return _add(tenant, account, wanted, invited_by, asked=asked)


@transaction.atomic
def change_role(*, membership: Membership, role: str) -> Membership:
    """Any role but owner's, for anyone but the owner: ownership only moves by ``transfer_ownership``.

    Who may do less than before is signed out, if this is the tenant that the account works in: what others have of
    theirs is no concern of this one.
    """
    wanted = _grantable(role)
    row = _unlike_owner(membership, "The owner's role changes when the ownership is transferred.")
    lost = capabilities(row.role) - capabilities(wanted)
    row.role = wanted.value
    row.save(update_fields=["role", "updated_at"])
    if lost and row.current:
        sessions.close_all(row.account)
    return row


@transaction.atomic
def remove_member(*, membership: Membership) -> None:
    """The account leaves the tenant, and is signed out if this is the one that it works in; the owner stays."""
    row = _unlike_owner(membership, "The owner cannot be removed from the workspace.")
    row.delete()
    if row.current:
        sessions.close_all(row.account)


@transaction.atomic
def transfer_ownership(*, tenant: Tenant, to: Account, by: Account | None = None) -> Membership:
    """``to``, an active member already, becomes the owner; the owner before, who must be ``by`` if given, becomes an admin.

    Raises NotOwner, and InvalidParam for an heir who cannot be one.
    """
    _locked(tenant)
    account = Account.objects.select_for_update().get(pk=to.pk)
    rows = list(Membership.objects.select_for_update().for_tenant(tenant))
    if by is not None and not any(row.role == Role.OWNER and row.account_id == by.pk for row in rows):
        raise NotOwner
    heir = next((row for row in rows if row.account_id == account.pk), None)
    if heir is None:
        raise InvalidParam("The new owner must be a member already.", params="account")
    if account.status != AccountStatus.ACTIVE:
        raise InvalidParam("The new owner must be able to sign in.", params="account")
    for row in rows:
        if row.role == Role.OWNER:
            row.role = Role.ADMIN.value
            row.save(update_fields=["role", "updated_at"])
    heir.role = Role.OWNER.value
    heir.save(update_fields=["role", "updated_at"])
    return heir


def accept(membership: Membership) -> None:
    """The account takes the invitation, or works in the tenant, which is the same. Nothing where it did before."""
    row = Membership.objects.filter(pk=membership.pk, accepted_at=None).first() if membership.accepted_at is None else None
    if row is not None:
        row.accepted_at = clock.now()
        row.save(update_fields=["accepted_at", "updated_at"])


def principal(membership: Membership, *, tier: Tier = Tier.CONSOLE) -> Principal:
    """Who this member is to the rest of the house."""
    return Principal(
        tenant_id=membership.tenant_id,
        actor_kind=ActorKind.ACCOUNT,
        actor_id=membership.account_id,
        tier=tier,
        capabilities=capabilities(membership.role),
    )


def _unlike_owner(membership: Membership, refusal: str) -> Membership:
    """The row, locked and as it is now. Raises InvalidParam with ``refusal`` for an owner's."""
    row = Membership.objects.select_for_update(of=("self",)).select_related("account").get(pk=membership.pk)
    if row.role == Role.OWNER:
        raise InvalidParam(refusal, params="role")
    return row


def _locked(tenant: Tenant) -> Tenant:
    """The tenant's row as it is now. Tenants are locked before accounts, accounts before memberships."""
    return Tenant.objects.select_for_update().get(pk=tenant.pk)


def _grantable(role: str) -> Role:
    if role not in set(Role) or role == Role.OWNER:
        raise InvalidParam("role must be one of: admin, editor, normal, dataset_operator.", params="role")
    return Role(role)


def _add(tenant: Tenant, account: Account, role: Role, invited_by: Account | None, *, asked: bool = False) -> Membership:
    has_current = Membership.objects.filter(account=account, current=True).exists()
    row = Membership(tenant=tenant, account=account, role=role.value, current=not has_current, invited_by=invited_by)
    row.accepted_at = None if asked else clock.now()
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("The account is a member of this tenant already.", params="account") from error
    return row
