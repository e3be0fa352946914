"""Every provider row as a test case: which ones there are, and a credential that points at a fake upstream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from difyproj.model_runtime import catalogue
from difyproj.model_runtime.base import Credential, ModelRequest, ModelType
from difyproj.model_runtime.messages import Delta, PromptMessage, Role, TokenUsage, ToolCall
from difyproj.testing.upstream import FakeUpstream

KEY = "sk-very-secret-key-0123456789"


def online(model_type: ModelType) -> list[str]:
    """Providers of one model type that speak over the network."""
    return [row.name for row in catalogue.providers() if model_type in row.model_types and wire_of(row.name)]


def wire_of(name: str) -> str:
    return catalogue.provider_class(name).wire


def upstream(name: str) -> FakeUpstream:
    return FakeUpstream(wire=wire_of(name))


def credential(name: str, up: FakeUpstream, key: str = KEY, **more: str) -> Credential:
    """All required fields filled, the key and the base URL in their places."""
    row = catalogue.provider_class(name)
    values = {field.name: "value" for field in row.credential_fields if field.required}
    values |= {row.url_field: up.url, row.key_field: key} | more
    return Credential(f"{name}-{key}", values)


def request(*messages: PromptMessage, **fields: Any) -> ModelRequest:
    """A chat request; the model's name is one that no facts file has."""
    return ModelRequest("test-model", messages or (PromptMessage(Role.USER, "Say hello"),), **fields)


@dataclass
class Answer:
    """What a stream came to."""

    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: str = ""
    usage: TokenUsage | None = None
    deltas: list[Delta] = field(default_factory=list)

    def add(self, item: Delta | TokenUsage) -> None:
        if isinstance(item, TokenUsage):
            self.usage = item
            return
        self.deltas.append(item)
        self.text += item.text
        self.reasoning += item.reasoning
        self.finish_reason = item.finish_reason or self.finish_reason
        for call in item.tool_calls:
            if call.index == len(self.tool_calls):
                self.tool_calls.append(ToolCall("", "", ""))
            held = self.tool_calls[call.index]
            whole = ToolCall(held.id or call.id, held.name or call.name, held.arguments + call.arguments)
            self.tool_calls[call.index] = whole


async def collect(items: AsyncIterator[Delta | TokenUsage]) -> Answer:
    answer = Answer()
    async for item in items:
        answer.add(item)
    return answer


def named(calls: Sequence[ToolCall]) -> list[tuple[str, str]]:
    """Names and arguments, for wires that have no call ids."""
    return [(call.name, call.arguments) for call in calls]
