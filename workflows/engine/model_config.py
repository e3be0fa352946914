"""What every node that calls a model has in its data: which model, what it remembers, what it sees.

Files hold ``null`` where an editor left a part out.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ModelChoice(msgspec.Struct, frozen=True):
    provider: str
    name: str
    mode: Literal["chat", "completion"] = "chat"
    completion_params: dict[str, Any] | None = None


class Window(msgspec.Struct, frozen=True):
    enabled: bool = False
    size: int | None = None


class RolePrefix(msgspec.Struct, frozen=True):
    """How the two sides are called where the conversation is told as text."""

    user: str | None = None
    assistant: str | None = None


class Memory(msgspec.Struct, frozen=True):
    """The conversation goes into the prompt: the newest ``window.size`` turns, or as many as fit."""

    window: Window | None = None
    query_prompt_template: str | None = None
    role_prefix: RolePrefix | None = None

    @property
    def names(self) -> tuple[str, str]:
        """What the user and the model are called."""
        prefix = self.role_prefix or RolePrefix()
        return prefix.user or "Human", prefix.assistant or "Assistant"


class VisionConfigs(msgspec.Struct, frozen=True):
    """Which variable holds the files; the run's own when none is named."""

    detail: str = "high"
    variable_selector: tuple[str, ...] | None = None


class Vision(msgspec.Struct, frozen=True):
    enabled: bool = False
    configs: VisionConfigs | None = None

    @property
    def selector(self) -> tuple[str, ...]:
        return (self.configs.variable_selector if self.configs else None) or ("sys", "files")

    @property
    def detail(self) -> str:
        return (self.configs or VisionConfigs()).detail
