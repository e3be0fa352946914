"""Who works in which tenant: an account's current membership, remembered while warm."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from accounts.models import Account, Membership, Tenant, TenantStatus
from accounts.policies import Role
from difyproj.infra.cache import Cached
from difyproj.kernel.errors import Forbidden


class NoTenant(Forbidden):
    code = "account_not_link_tenant"
    default_message = "The account belongs to no workspace."


_current: Cached[Membership | None] = Cached("memberships", ttl=60.0, max_entries=20_000)
_member: Cached[bool] = Cached("members", ttl=60.0, max_entries=20_000)
_owner: Cached[Membership] = Cached("owners", ttl=60.0, max_entries=20_000)


def current(account_id: UUID) -> Membership:
    """The membership the account works in, with its tenant and account. Shared between threads: not to be changed.

    Raises NoTenant for an account without a workspace, and where the workspace it works in was archived: it goes to another
    one when it says so.
    """
    row = chosen(account_id)
    if not is_open(row):
        raise NoTenant
    return row


def is_open(membership: Membership) -> bool:
    return membership.tenant.status == TenantStatus.NORMAL


def chosen(account_id: UUID) -> Membership:
    """Like ``current``, be the workspace open or archived."""
    row = _current.get(account_id, lambda: _load(account_id))
    if row is None:
        raise NoTenant
    return row


def demand_any(account_id: UUID) -> None:
    """Raises NoTenant for an account without an open workspace."""
    if not Membership.objects.filter(account_id=account_id, tenant__status=TenantStatus.NORMAL).exists():
        raise NoTenant


def is_member(account_id: UUID, tenant_id: UUID) -> bool:
    return _member.get((account_id, tenant_id), lambda: _has(account_id, tenant_id))


def owner(tenant_id: UUID) -> Membership:
    """The owner's, with its account. Shared between threads: not to be changed."""
    return _owner.get(tenant_id, lambda: _load_owner(tenant_id))


def _load_owner(tenant_id: UUID) -> Membership:
    return Membership.objects.for_tenant(tenant_id).select_related("account").get(role=Role.OWNER)


def _has(account_id: UUID, tenant_id: UUID) -> bool:
    return Membership.objects.for_tenant(tenant_id).filter(account_id=account_id).exists()


def _load(account_id: UUID) -> Membership | None:
    """The one it chose; the oldest open one where it chose none."""
    wanted = Q(current=True) | Q(tenant__status=TenantStatus.NORMAL)
    rows = Membership.objects.select_related("tenant", "account").filter(wanted, account_id=account_id)
    return rows.order_by("-current", "created_at").first()


@receiver((post_save, post_delete), sender=Membership, dispatch_uid="forget_memberships")
def _forget_membership(instance: Membership, **_: Any) -> None:
    _current.invalidate(instance.account_id)
    _member.invalidate((instance.account_id, instance.tenant_id))
    _owner.invalidate(instance.tenant_id)


@receiver(post_save, sender=Account, dispatch_uid="forget_membership_of_account")
def _forget_account(instance: Account, created: bool = False, **_: Any) -> None:
    """Its row is part of what is remembered. A deleted account's memberships are deleted with it, and say so."""
    if not created:
        _current.invalidate(instance.pk)


@receiver(post_save, sender=Tenant, dispatch_uid="forget_memberships_of_tenant")
def _forget_tenant(created: bool = False, **_: Any) -> None:
    if not created:
        _current.invalidate(None)
