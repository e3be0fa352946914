"""Prompts ready for a model: fixed messages, the conversation that fits between them, files on the last user message."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime.messages import Part, PromptMessage, Role, TextPart

from .node import HistoryTurn

TURN_LIMIT = 500
SMALLEST_ANSWER = 16

Count = Callable[[str], int]


class Transcript(msgspec.Struct, frozen=True):
    """A prompt that holds the conversation as text: one user message of ``head``, the turns, and ``tail``.

    ``opening`` and ``closing`` stand around the turns and only when there are any.
    """

    head: str
    tail: str
    opening: str = ""
    closing: str = ""
    user_prefix: str = "Human"
    assistant_prefix: str = "Assistant"


class PreparedPrompt(msgspec.Struct, frozen=True):
    """Messages whose text is final: nothing in them is a template any more. History goes between ``before`` and ``after``."""

    before: tuple[PromptMessage, ...] = ()
    after: tuple[PromptMessage, ...] = ()
    transcript: Transcript | None = None

    def with_history(self, turns: Sequence[HistoryTurn]) -> list[PromptMessage]:
        """All messages in order; blank ones are left out, as providers refuse them."""
        messages = [*self.before, *turn_messages(turns), *self.after]
        if self.transcript is not None:
            messages = [PromptMessage(Role.USER, _transcript_text(self.transcript, turns))]
        return [each for each in messages if not isinstance(each.content, str) or (each.content and not each.content.isspace())]


def turn_messages(turns: Sequence[HistoryTurn]) -> list[PromptMessage]:
    user, assistant = Role.USER, Role.ASSISTANT
    return [message for turn in turns for message in (PromptMessage(user, turn.query), PromptMessage(assistant, turn.answer))]


def turn_text(turn: HistoryTurn, user_prefix: str, assistant_prefix: str) -> str:
    return f"{user_prefix}: {turn.query}\n{assistant_prefix}: {turn.answer}"


def prompt_text(messages: Sequence[PromptMessage]) -> str:
    """The text by which a prompt is counted."""
    return "\n".join(message.text for message in messages)


def fit_history(
    turns: Sequence[HistoryTurn], prompt: str, *, context_size: int, max_tokens: int, count: Count, limit: int = TURN_LIMIT
) -> list[HistoryTurn]:
    """The newest whole turns, at most ``limit``, that fit into the context beside ``prompt`` and the answer.

    Sizes are tokens; ``context_size`` 0 means unknown, then all fit. Turns without an answer are left out.
    """
    recent = [turn for turn in turns if turn.answer.strip()][-limit:]
    if not recent or context_size <= 0:
        return recent
    rest = context_size - max_tokens
    if _most_tokens(prompt) + sum(_most_tokens(turn.query) + _most_tokens(turn.answer) for turn in recent) <= rest:
        return recent
    rest -= count(prompt)
    kept: list[HistoryTurn] = []
    for turn in reversed(recent):
        rest -= count(f"{turn.query}\n{turn.answer}")
        if rest < 0:
            break
        kept.append(turn)
    return kept[::-1]


def fit_answer(parameters: Mapping[str, Any], prompt: str, *, context_size: int, count: Count) -> dict[str, Any]:
    """``parameters`` with ``max_tokens`` lowered to what the context leaves beside ``prompt``.

    Raises InvalidParam when the prompt alone is longer than the context.
    """
    fitted = dict(parameters)
    wanted = number(parameters.get("max_tokens"))
    if context_size <= 0 or _most_tokens(prompt) + wanted <= context_size:
        return fitted
    used = count(prompt)
    if used >= context_size:
        raise InvalidParam(
            f"The prompt takes {used} tokens and the model's context holds {context_size}. "
            "Shorten the prompt or the question, or choose a model with a larger context."
        )
    if wanted and used + wanted > context_size:
        fitted["max_tokens"] = max(context_size - used, SMALLEST_ANSWER)
    return fitted


def attach(messages: Sequence[PromptMessage], parts: Sequence[Part]) -> list[PromptMessage]:
    """``parts`` before the text of the last message when the user speaks there, else as a message of the user's own."""
    if not parts:
        return list(messages)
    if not messages or messages[-1].role is not Role.USER:
        return [*messages, PromptMessage(Role.USER, tuple(parts))]
    last = messages[-1]
    own: Sequence[Part] = (TextPart(last.content),) if isinstance(last.content, str) else last.content
    return [*messages[:-1], msgspec.structs.replace(last, content=(*parts, *own))]


def number(value: Any) -> int:
    """A whole number from a parameter that may be text or absent; 0 when it is neither."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _most_tokens(text: str) -> int:
    """No tokenizer makes more tokens than bytes: a bound that costs nothing."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))


def _transcript_text(transcript: Transcript, turns: Sequence[HistoryTurn]) -> str:
    if not turns:
        return transcript.head + transcript.tail
    lines = (turn_text(turn, transcript.user_prefix, transcript.assistant_prefix) for turn in turns)
    return "".join((transcript.head, transcript.opening, "\n".join(lines), transcript.closing, transcript.tail))
