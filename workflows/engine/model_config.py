"""What every node that calls a model has in its data: which model, what it remembers, what it sees."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class ModelChoice(msgspec.Struct, frozen=True):
    provider: str
    name: str
    mode: Literal["chat", "completion"] = "chat"
    completion_params: dict[str, Any] = {}


class Window(msgspec.Struct, frozen=True):
    enabled: bool = False
    size: int | None = None


class RolePrefix(msgspec.Struct, frozen=True):
    """How the two sides are called where the conversation is told as text."""

    user: str | None = None
    assistant: str | None = None


class Memory(msgspec.Struct, frozen=True):
    """The conversation goes into the prompt: the newest ``window.size`` turns, or as many as fit."""

    window: Window = Window()
    query_prompt_template: str | None = None
    role_prefix: RolePrefix | None = None

    @property
    def names(self) -> tuple[str, str]:
        """What the user and the model are called."""
        prefix = self.role_prefix or RolePrefix()
        return prefix.user or "Human", prefix.assistant or "Assistant"


class VisionConfigs(msgspec.Struct, frozen=True):
    detail: str = "high"
    variable_selector: tuple[str, ...] = ("sys", "files")


class Vision(msgspec.Struct, frozen=True):
    enabled: bool = False
    configs: VisionConfigs = VisionConfigs()
