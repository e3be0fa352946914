"""Membership: an account's role in a tenant."""

from __future__ import annotations

from django.db import models

from difyproj.infra.tenancy import TenantQuerySet

from ..policies import Role
from .rows import TenantRow


class MembershipRows(TenantQuerySet["Membership"]):
    """Memberships, fetched by tenant."""


class Membership(TenantRow):
    """``current`` marks the tenant that the account works in; an account has at most one, a tenant exactly one owner.

    Until ``accepted_at`` the workspace learns nothing of the account but its address.
    """

    account = models.ForeignKey("accounts.Account", on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=32, choices=[(role.value, role.value) for role in Role], default=Role.NORMAL.value)
    last_opened_at = models.DateTimeField(null=True, blank=True)
    current = models.BooleanField(default=False)
    accepted_at = models.DateTimeField(null=True, blank=True, help_text="Empty while an invitation waits for its person.")
    invited_by = models.ForeignKey("accounts.Account", on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    objects = MembershipRows.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "account"], name="membership_once"),
            models.UniqueConstraint(fields=["tenant"], condition=models.Q(role="owner"), name="membership_one_owner"),
            models.UniqueConstraint(fields=["account"], condition=models.Q(current=True), name="membership_one_current"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.role}"
