"""An account's workspaces: which there are, which one it works in, and a further one of its own."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import Account, Membership, Tenant, TenantStatus
from accounts.services import tenants
from accounts.services.members import NoTenant
from difyproj.kernel import clock, ids
from difyproj.kernel.errors import DomainError, InvalidParam

LONGEST_NAME = 100


class NotAllowedCreateWorkspace(DomainError):
    code = "not_allowed_create_workspace"
    default_message = "Workspaces may not be created here. Please ask the operator for an invitation."


def of(account: Account) -> list[Membership]:
    """The account's memberships in workspaces that are open, with their tenants."""
    rows = Membership.objects.filter(account=account, tenant__status=TenantStatus.NORMAL)
    return list(rows.select_related("tenant").order_by("created_at"))


def membership_in(tenant: Tenant, account: Account) -> Membership:
    return Membership.objects.for_tenant(tenant).select_related("tenant", "account").get(account=account)


@transaction.atomic
def switch(account: Account, tenant_id: UUID | str) -> Membership:
    """The account works in this tenant from now on. Raises NoTenant where it is no member."""
    Account.objects.select_for_update().get(pk=account.pk)
    key = ids.parse(tenant_id)
    rows = Membership.objects.filter(account=account, tenant__status=TenantStatus.NORMAL).select_related("tenant", "account")
    row = rows.filter(tenant_id=key).first() if key else None
    if row is None:
        raise NoTenant("The account belongs to no such workspace.")
    for other in Membership.objects.filter(account=account, current=True).exclude(pk=row.pk):
        other.current = False
        other.save(update_fields=["current", "updated_at"])
    row.current, row.last_opened_at = True, clock.now()
    row.accepted_at = row.accepted_at or row.last_opened_at
    row.save(update_fields=["current", "last_opened_at", "accepted_at", "updated_at"])
    return row


@transaction.atomic
def open_own(account: Account, name: str) -> Membership:
    """A further workspace, which the account owns and goes to. Raises NotAllowedCreateWorkspace where operators do that."""
    if not settings.ALLOW_CREATE_WORKSPACE:
        raise NotAllowedCreateWorkspace
    tenant = tenants.create(name=checked_name(name), owner=account)
    return switch(account, tenant.pk)


@transaction.atomic
def rename(tenant: Tenant, name: str) -> Tenant:
    row = Tenant.objects.select_for_update().get(pk=tenant.pk)
    row.name = checked_name(name)
    row.save(update_fields=["name", "updated_at"])
    return row


def checked_name(name: str) -> str:
    plain = name.strip()
    if not plain or len(plain) > LONGEST_NAME:
        raise InvalidParam(f"The name must have 1 to {LONGEST_NAME} characters.", params="name")
    return plain
