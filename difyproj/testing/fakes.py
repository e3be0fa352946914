"""Stand-ins for the ports of a run: a model that follows a script, files kept in a mapping."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from difyproj.infra.sandbox import get_sandbox
from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import Delta, Part, TokenUsage
from workflows.engine.events import RunEvent, TextChunk, TextReplaced, Usage
from workflows.engine.ports import Ports

Step = str | Delta | TokenUsage | BaseException | float
Script = Sequence[Step]


@dataclass
class ScriptedModels:
    """Streams ``script``: text and deltas are sent, exceptions raised, numbers are seconds to wait.

    A callable script gets the request. Tokens are words; a token costs 0.001 USD; a text is flagged when it holds
    ``flagged``. Requests are kept in ``requests``, ``closed`` counts streams that have ended in any way.
    """

    script: Script | Callable[[ModelRequest], Script] = ("Hello", " world")
    size: int = 0
    flagged: str = ""
    can: frozenset[str] = frozenset({"tool-call", "structured-output"})
    requests: list[ModelRequest] = field(default_factory=list)
    moderated: list[str] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    closed: int = 0

    async def stream(self, provider: str, request: ModelRequest) -> AsyncGenerator[Delta | TokenUsage, None]:
        self.requests.append(request)
        script = self.script(request) if callable(self.script) else self.script
        try:
            for step in script:
                if isinstance(step, BaseException):
                    raise step
                if isinstance(step, int | float):
                    await asyncio.sleep(step)
                else:
                    yield Delta(step) if isinstance(step, str) else step
        finally:
            self.closed += 1

    def context_size(self, provider: str, model: str) -> int:
        return self.size

    def features(self, provider: str, model: str) -> frozenset[str]:
        return self.can

    def count_tokens(self, provider: str, model: str, text: str) -> int:
        return len(text.split())

    async def exact_tokens(self, provider: str, model: str, text: str) -> int:
        return len(text.split())

    def price(self, provider: str, model: str, tokens: TokenUsage) -> Usage:
        prompt, completion = tokens.prompt_tokens, tokens.completion_tokens
        return Usage(
            prompt_tokens=prompt,
            prompt_unit_price="0.001",
            prompt_price_unit="1",
            prompt_price=f"{prompt / 1000:.3f}",
            completion_tokens=completion,
            completion_unit_price="0.001",
            completion_price_unit="1",
            completion_price=f"{completion / 1000:.3f}",
            total_tokens=prompt + completion,
            total_price=f"{(prompt + completion) / 1000:.3f}",
        )

    async def moderate(self, text: str) -> bool:
        self.moderated.append(text)
        return bool(self.flagged) and self.flagged in text

    async def speak(self, text: str, *, voice: str = "") -> AsyncGenerator[bytes, None]:
        """The text's own bytes stand for its sound."""
        self.spoken.append(text)
        yield f"{voice}:{text}".encode()


@dataclass
class KeptFiles:
    """Files by id."""

    parts: Mapping[str, Part] = field(default_factory=dict)

    async def part(self, file_id: str, *, detail: str = "auto") -> Part | None:
        return self.parts.get(file_id)


def scripted(*script: Step, size: int = 0) -> Ports:
    """Ports whose model follows ``script``, with the real sandbox."""
    return Ports(models=ScriptedModels(script, size=size), files=KeptFiles(), sandbox=get_sandbox())


def visible(events: Sequence[RunEvent]) -> str:
    """The text that a reader of ``events`` sees in the end."""
    text = ""
    for event in events:
        if isinstance(event, TextChunk):
            text += event.text
        elif isinstance(event, TextReplaced):
            text = event.text
    return text
