"""An operator acts for the workspace whose knowledge it is, with all that its owner may do."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from django.http import HttpRequest

from accounts.models import Account
from accounts.policies import Role, capabilities
from difyproj.kernel.principal import ActorKind, Principal, Tier


def acting(request: HttpRequest, tenant_id: UUID) -> Principal:
    """Who may come so far is the admin's question: it was answered by a permission before."""
    account = cast(Account, request.user)
    return Principal(tenant_id, ActorKind.ACCOUNT, account.pk, Tier.CONSOLE, capabilities=capabilities(Role.OWNER))
