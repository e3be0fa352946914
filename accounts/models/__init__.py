"""Rows of the accounts app: tenants, accounts, memberships, model credentials, default models."""

from .account import Account, AccountStatus
from .credential import ModelCredential
from .default_model import DefaultModel
from .membership import Membership
from .rows import Row, TenantRow
from .tenant import Plan, Tenant, TenantStatus

__all__ = [
    "Account",
    "AccountStatus",
    "DefaultModel",
    "Membership",
    "ModelCredential",
    "Plan",
    "Row",
    "Tenant",
    "TenantRow",
    "TenantStatus",
]
