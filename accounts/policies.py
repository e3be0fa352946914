"""The one role table: which role may do what in a tenant. Pure."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A member's role, from most to least."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    NORMAL = "normal"
    DATASET_OPERATOR = "dataset_operator"


_ADMINS = frozenset({Role.OWNER, Role.ADMIN})
_EDITORS = _ADMINS | {Role.EDITOR}
_DATASET_EDITORS = _EDITORS | {Role.DATASET_OPERATOR}
_MEMBERS = frozenset(Role)
_APP_USERS = _MEMBERS - {Role.DATASET_OPERATOR}

CAPABILITIES: dict[str, frozenset[Role]] = {
    "tenant.view": _MEMBERS,
    "tenant.transfer": frozenset({Role.OWNER}),
    "tenant.update": _ADMINS,
    "tenant.billing": _ADMINS,
    "member.view": _MEMBERS,
    "member.manage": _ADMINS,
    "model.view": _MEMBERS,
    "model.configure": _ADMINS,
    "tool.view": _MEMBERS,
    "tool.configure": _ADMINS,
    "app.view": _APP_USERS,
    "app.run": _APP_USERS,
    "app.edit": _EDITORS,
    "app.token": _ADMINS,
    "app.logs": _EDITORS,
    "dataset.view": _MEMBERS,
    "dataset.edit": _DATASET_EDITORS,
    "dataset.create": _DATASET_EDITORS,
    "dataset.share": _EDITORS,
    "dataset.all": frozenset({Role.OWNER}),
    "dataset.token": _ADMINS,
}


def capabilities(role: Role | str) -> frozenset[str]:
    """Everything that ``role`` may do. Raises ValueError for a role that does not exist."""
    wanted = Role(role)
    return frozenset(name for name, roles in CAPABILITIES.items() if wanted in roles)


def allows(role: Role | str, capability: str) -> bool:
    """Whether ``role`` has ``capability``. Raises KeyError for a capability that is not in the table."""
    return Role(role) in CAPABILITIES[capability]
