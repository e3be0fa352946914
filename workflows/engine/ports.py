"""What a run may ask of the world. The door hands these in; tests hand in fakes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import Delta, Part, TokenUsage

from .events import Usage


class ModelPort(Protocol):
    """Language models of the run's tenant."""

    def stream(self, provider: str, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]: ...

    def context_size(self, provider: str, model: str) -> int:
        """The model's context window in tokens."""

    def features(self, provider: str, model: str) -> frozenset[str]:
        """What the model can do, in Dify's words: ``tool-call``, ``structured-output``, ``vision``."""

    def count_tokens(self, provider: str, model: str, text: str) -> int:
        """A cheap estimate that never blocks."""

    async def exact_tokens(self, provider: str, model: str, text: str) -> int:
        """As exact as can be had offline; may use a thread."""

    def price(self, provider: str, model: str, tokens: TokenUsage) -> Usage:
        """Usage with prices filled in from the model's facts."""

    async def moderate(self, text: str) -> bool:
        """True when the tenant's default moderation model flags the text."""

    def speak(self, text: str, *, voice: str = "") -> AsyncIterator[bytes]:
        """The text as sound (mp3) by the tenant's default speech model, as it is made."""


class FilePort(Protocol):
    async def part(self, file_id: str, *, detail: str = "auto") -> Part | None:
        """The file as a prompt part for the model, or None when it has no such form."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a node may use, bundled for one run."""

    models: ModelPort
    files: FilePort
