"""Rows of the accounts app: who there is, what they may do, how they sign in, and the models a tenant may call."""

from .account import Account, AccountStatus
from .challenge import Challenge, Purpose
from .credential import ModelCredential
from .default_model import DefaultModel
from .instance import Instance
from .membership import Membership
from .model_setting import ModelSetting
from .rows import Row, TenantRow
from .session import Session, SessionScope
from .tag import Tag, TagBinding, TagType
from .tenant import Plan, Tenant, TenantStatus

__all__ = [
    "Account",
    "AccountStatus",
    "Challenge",
    "DefaultModel",
    "Instance",
    "Membership",
    "ModelCredential",
    "ModelSetting",
    "Plan",
    "Purpose",
    "Row",
    "Session",
    "SessionScope",
    "Tag",
    "TagBinding",
    "TagType",
    "Tenant",
    "TenantRow",
    "TenantStatus",
]
