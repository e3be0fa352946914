"""Who is asking: the typed fact that authentication yields and everything behind it starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class Tier(StrEnum):
    CONSOLE = "console"
    SERVICE = "service-api"
    WEB = "web-app"


class ActorKind(StrEnum):
    ACCOUNT = "account"
    END_USER = "end_user"
    APP_KEY = "app_key"
    DATASET_KEY = "dataset_key"


@dataclass(frozen=True, slots=True)
class Principal:
    """Ids only. ``actor_id`` is the account's, end user's or key's id; ``app_id`` is set where the credential binds an app."""

    tenant_id: UUID
    actor_kind: ActorKind
    actor_id: UUID
    tier: Tier
    app_id: UUID | None = None
    capabilities: frozenset[str] = field(default_factory=frozenset)

    def can(self, capability: str) -> bool:
        return capability in self.capabilities
