"""What is known of a run at any moment, also after it was closed in mid-answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import msgspec

from difyproj.kernel import clock
from difyproj.kernel.errors import DomainError
from difyproj.model_runtime.messages import Delta, TokenUsage

from . import usage as costs
from .events import RunEvent, RunFailed, RunFinished, TextChunk, TextReplaced, Usage
from .ports import ModelPort


@dataclass(slots=True)
class ModelCall:
    """One model call: what was asked, what came so far, and its usage once it is known."""

    provider: str
    model: str
    prompt: str
    started: float = field(default_factory=clock.monotonic)
    first: float | None = None
    pieces: list[str] = field(default_factory=list)
    reported: TokenUsage | None = None
    usage: Usage | None = None
    finish_reason: str = ""

    @property
    def completion(self) -> str:
        return "".join(self.pieces)

    def note(self, delta: Delta) -> None:
        """Keep what came; the first piece sets the time to the first token."""
        if self.first is None:
            self.first = clock.monotonic()
        if delta.reasoning:
            self.pieces.append(delta.reasoning)
        if delta.text:
            self.pieces.append(delta.text)
        if delta.finish_reason:
            self.finish_reason = delta.finish_reason

    async def close(self, models: ModelPort) -> Usage:
        """The call's usage: the provider's token counts, else counted from both texts; priced, with its times."""
        if self.usage is None:
            ended = clock.monotonic()
            tokens = self.reported or await self._count(models)
            first = self.first
            self.usage = msgspec.structs.replace(
                models.price(self.provider, self.model, tokens),
                latency=round(ended - self.started, 3),
                time_to_first_token=None if first is None else round(first - self.started, 3),
                time_to_generate=None if first is None else round(ended - first, 3),
            )
            # A run may make thousands of calls; their texts have done their service.
            self.prompt = ""
            self.pieces.clear()
        return self.usage

    async def _count(self, models: ModelPort) -> TokenUsage:
        completion = self.completion
        return TokenUsage(
            prompt_tokens=await models.exact_tokens(self.provider, self.model, self.prompt),
            completion_tokens=await models.exact_tokens(self.provider, self.model, completion) if completion else 0,
            estimated=True,
        )


@dataclass(slots=True)
class RunState:
    """Kept by the engine while a run goes on; whoever closes the run early reads the rest from here.

    ``answer`` is the text that left the engine (after layers), ``steps`` the number of nodes started, ``began_at`` the
    run's beginning in epoch seconds, ``spent`` what ``calls`` do not hold: the cost of tools, and of an earlier process.
    ``outputs`` are those of the nodes that answer or end; ``replies`` says that the run's text is its output ``answer``.
    ``exceptions`` counts failures that a strategy handled, ``depth`` the workflows that called this one.
    """

    started: float = field(default_factory=clock.monotonic)
    began_at: float = field(default_factory=lambda: clock.now().timestamp())
    steps: int = 0
    calls: list[ModelCall] = field(default_factory=list)
    ended: bool = False
    spent: Usage = field(default_factory=Usage)
    outputs: dict[str, Any] = field(default_factory=dict)
    replies: bool = True
    exceptions: int = 0
    depth: int = 0
    _by_execution: dict[str, list[ModelCall]] = field(default_factory=dict)
    _pieces: list[str] = field(default_factory=list)

    @property
    def answer(self) -> str:
        if len(self._pieces) > 1:
            self._pieces[:] = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return clock.monotonic() - self.started

    def apply(self, event: RunEvent) -> None:
        """Take note of an event that leaves the engine."""
        if type(event) is TextChunk:
            self._pieces.append(event.text)
        elif type(event) is TextReplaced:
            self._pieces[:] = [event.text]
        elif type(event) in (RunFinished, RunFailed):
            self.ended = True

    def open_call(self, provider: str, model: str, prompt: str, *, execution_id: str = "") -> ModelCall:
        """A new call, made by the execution of a node."""
        call = ModelCall(provider, model, prompt)
        self.calls.append(call)
        self._by_execution.setdefault(execution_id, []).append(call)
        return call

    def spend(self, execution_id: str, usage: Usage) -> None:
        """A node ended that cost ``usage``; its own model calls are counted already."""
        if execution_id not in self._by_execution:
            self.spent = costs.add(self.spent, usage)

    async def usage_of(self, execution_id: str, models: ModelPort) -> Usage | None:
        """What the model calls of one execution cost, those of failed tries included; None when it made none."""
        calls = self._by_execution.get(execution_id)
        return None if calls is None else reduce(costs.add, [await call.close(models) for call in calls], Usage())

    async def usage(self, models: ModelPort) -> Usage:
        """Usage of all calls; a call that was cut off is counted from its prompt and the text that came."""
        total = self.spent
        for call in self.calls:
            total = costs.add(total, await call.close(models))
        return total

    async def finished(
        self,
        models: ModelPort,
        status: str,
        answer: str | None = None,
        outputs: Mapping[str, Any] | None = None,
        *,
        finish_reason: str = "",
    ) -> RunFinished:
        """The terminal event of a run that ends now. ``answer`` None means the text so far, no ``finish_reason`` the last
        call's.

        A reader who stops a run closes it and then writes ``await state.finished(models, "stopped")``.
        """
        text = self.answer if answer is None else answer
        replied = {"answer": text} if text and self.replies else {}
        return RunFinished(
            status=status,
            outputs={**self.outputs, **replied} if outputs is None else dict(outputs),
            answer=text,
            usage=await self.usage(models),
            elapsed_time=round(self.elapsed, 3),
            total_steps=self.steps,
            finished_at=clock.now().timestamp(),
            finish_reason=finish_reason or (self.calls[-1].finish_reason if self.calls else ""),
            exceptions_count=self.exceptions,
        )

    async def failed(self, models: ModelPort, error: DomainError, *, node_id: str = "") -> RunFailed:
        """The terminal event of a run that ends in ``error`` (of the node ``node_id``), with what it has and what it cost."""
        return RunFailed(
            code=error.code,
            status=error.status,
            message=error.message,
            answer=self.answer,
            usage=await self.usage(models),
            elapsed_time=round(self.elapsed, 3),
            finished_at=clock.now().timestamp(),
            outputs=dict(self.outputs),
            total_steps=self.steps,
            exceptions_count=self.exceptions,
            node_id=node_id,
        )
