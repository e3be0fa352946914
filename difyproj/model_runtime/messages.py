"""Prompt messages and what a model streams back, the same for every provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import msgspec

MOST_TOKENS: Final = 100_000_000


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class TextPart:
    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image by ``url`` (http or data:) or by ``data`` bytes with its MIME type; ``detail`` is low, high or auto."""

    url: str = ""
    data: bytes = b""
    mime_type: str = "image/png"
    detail: str = "auto"


@dataclass(frozen=True, slots=True)
class AudioPart:
    data: bytes
    mime_type: str = "audio/mpeg"


@dataclass(frozen=True, slots=True)
class DocumentPart:
    """A whole file for models that read files (PDF above all)."""

    data: bytes
    mime_type: str = "application/pdf"
    filename: str = "document.pdf"


Part = TextPart | ImagePart | AudioPart | DocumentPart


@dataclass(frozen=True, slots=True)
class ToolCall:
    """``arguments`` is the JSON text the model wrote; it may be invalid."""

    id: str
    name: str
    arguments: str


class PromptMessage(msgspec.Struct, frozen=True):
    """``content`` is plain text or a sequence of parts. ``tool_call_id`` is set on role tool, ``tool_calls`` on assistant."""

    role: Role
    content: str | Sequence[Part] = ""
    name: str = ""
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str = ""

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool offered to the model; ``parameters`` is a JSON Schema object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of tool call number ``index``: ``id`` and ``name`` come once, ``arguments`` in pieces."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """What arrived since the last one. Text that was already waiting on the socket is joined into one Delta."""

    text: str = ""
    reasoning: str = ""
    tool_calls: Sequence[ToolCallDelta] = ()
    finish_reason: str = ""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Token counts as the provider reported them (``estimated`` False) or as counted here (True).

    A server may report any number: each count is held between 0 and ``MOST_TOKENS``, so that every sum fits its column.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False

    def __post_init__(self) -> None:
        for name in ("prompt_tokens", "completion_tokens"):
            count = getattr(self, name)
            if not 0 <= count <= MOST_TOKENS:
                object.__setattr__(self, name, min(max(count, 0), MOST_TOKENS))

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens
