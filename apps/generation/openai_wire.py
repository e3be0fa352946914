"""From run events to OpenAI's chat completion chunks, and to the one completion body.

Source of shapes and order: OpenAI's chat completion object and its streamed chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from difyproj.kernel.errors import DomainError
from workflows.engine import events
from workflows.engine.events import RunEvent

from .request import Reply
from .wire import Record, RunError, whole_answer

# How an answer without tools may end other than by a plain stop.
_EARLY: Final = frozenset({"length", "content_filter"})


class ChatCompletionWire:
    """``model`` is the name that the answer carries, ``describe`` writes an error as these routes do."""

    def __init__(
        self,
        reply: Reply,
        *,
        model: str,
        fingerprint: str,
        include_usage: bool,
        describe: Callable[[DomainError], Record],
    ) -> None:
        self._base: Record = {
            "id": f"chatcmpl-{reply.message_id}",
            "object": "chat.completion.chunk",
            "created": reply.created_at,
            "model": model,
            "system_fingerprint": fingerprint,
        }
        self._include_usage = include_usage
        self._describe = describe
        self._sent: list[str] = []
        self._has_spoken = False

    def records(self, event: RunEvent) -> Sequence[Record]:
        if isinstance(event, events.TextChunk):
            return self._said(event.text)
        if isinstance(event, events.TextReplaced):
            return self._replaced(event)
        if isinstance(event, events.RunFinished):
            return self._end(event)
        if isinstance(event, events.RunFailed):
            return (self._describe(RunError(event)),)
        return ()

    def blocking(self, run_events: Iterable[RunEvent]) -> Record:
        text, end = whole_answer(run_events)
        message: Record = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(end)}
        return {**self._base, "object": "chat.completion", "choices": [choice], "usage": usage(end)}

    def _said(self, text: str) -> Sequence[Record]:
        self._sent.append(text)
        return (self._chunk({"content": text}),)

    def _replaced(self, event: events.TextReplaced) -> Sequence[Record]:
        """What was sent cannot be taken back: an answer that is withdrawn is refused in its own field, and a text that is told
        again after an interruption goes on behind what was sent."""
        if event.reason != "resumed":
            return (self._chunk({"refusal": event.text}),)
        sent = "".join(self._sent)
        rest = event.text[len(sent) :] if event.text.startswith(sent) else ""
        return self._said(rest) if rest else ()

    def _end(self, event: events.RunFinished) -> Sequence[Record]:
        last = self._chunk({}, finish_reason(event))
        if not self._include_usage:
            return (last,)
        return (last, {**self._base, "choices": [], "usage": usage(event)})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> Record:
        if not self._has_spoken:
            self._has_spoken = True
            delta = {"role": "assistant", "content": "", **delta}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._base, "choices": [choice], **({"usage": None} if self._include_usage else {})}


def finish_reason(end: events.RunFinished) -> str:
    return end.finish_reason if end.finish_reason in _EARLY else "stop"


def usage(end: events.RunFinished) -> Record:
    spent = end.usage
    return {
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "total_tokens": spent.total_tokens,
    }
