"""One model call of a node: the request that fits the model's context, its pieces or its whole answer, and what it cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from difyproj.kernel.errors import DomainError, InvalidParam
from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import Delta, Part, PromptMessage, Role, ToolCall, ToolCallDelta, ToolSpec

from . import prompt as prompts
from .events import ReasoningChunk, Usage
from .model_config import Memory, ModelChoice, Vision
from .node import HistoryTurn, NodeContext, NodeText
from .reasoning import SeparatedReasoning, TaggedReasoning
from .state import ModelCall
from .streams import closing
from .values import is_list, to_text

WithHistory = Callable[[Sequence[HistoryTurn]], list[PromptMessage]]


@dataclass(frozen=True, slots=True)
class Answer:
    """All that one call gave: its text as the model wrote it, thoughts left out, and the tools it wants called."""

    text: str
    tool_calls: Sequence[ToolCall]
    finish_reason: str
    usage: Usage


async def request(
    ctx: NodeContext[Any],
    model: ModelChoice,
    parameters: Mapping[str, Any] | None,
    with_history: WithHistory,
    *,
    memory: Memory | None,
    parts: Sequence[Part] = (),
    stop: Sequence[str] = (),
    tools: Sequence[ToolSpec] = (),
) -> ModelRequest:
    """The request whose messages ``with_history`` makes of as many turns as fit. Raises InvalidParam when none are left."""
    models = ctx.ports.models
    size = models.context_size(model.provider, model.name)
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    words = stop_words(given.pop("stop", None), stop)

    def count(text: str) -> int:
        return models.count_tokens(model.provider, model.name, text)

    turns = prompts.fit_history(
        ctx.history if memory is not None else (),
        prompts.prompt_text(with_history(())),
        context_size=size,
        max_tokens=prompts.number(given.get("max_tokens")),
        count=count,
        limit=_window(memory),
    )
    messages = prompts.attach(with_history(turns), parts)
    if not messages:
        raise InvalidParam("The prompt is empty: write a prompt or ask a question.")
    return ModelRequest(
        model=model.name,
        messages=messages,
        parameters=prompts.fit_answer(given, prompts.prompt_text(messages), context_size=size, count=count),
        tools=tools,
        stop=words,
        mode=model.mode,
        user=to_text(ctx.pool.get(("sys", "user_id"))),
    )


async def pieces(
    ctx: NodeContext[Any], asked: ModelRequest, call: ModelCall, reasoning: TaggedReasoning | SeparatedReasoning
) -> AsyncGenerator[NodeText | ReasoningChunk, None]:
    """The call's text as it comes. A call that fails before its first piece cost nothing."""
    try:
        async with closing(ctx.ports.models.stream(call.provider, asked)) as stream:
            async for piece in stream:
                if not isinstance(piece, Delta):
                    call.reported = piece
                    continue
                call.note(piece)
                if reasoning.thinking or piece.reasoning:
                    for out in reasoning.feed(piece.text, piece.reasoning):
                        yield out
                elif piece.text:
                    yield NodeText(piece.text)
    except DomainError:
        if call.first is None:
            call.usage = Usage()
        raise
    for out in reasoning.end():
        yield out


async def ask(ctx: NodeContext[Any], provider: str, asked: ModelRequest) -> Answer:
    """The whole answer at once, for nodes that nobody reads along with."""
    call = ctx.state.open_call(provider, asked.model, prompts.prompt_text(asked.messages), execution_id=ctx.execution_id)
    text: list[str] = []
    tools = _ToolCalls()
    try:
        async with closing(ctx.ports.models.stream(provider, asked)) as stream:
            async for piece in stream:
                if not isinstance(piece, Delta):
                    call.reported = piece
                    continue
                call.note(piece)
                text.append(piece.text)
                for part in piece.tool_calls:
                    tools.add(part)
                    call.pieces.append(part.name + part.arguments)
    except DomainError:
        if call.first is None:
            call.usage = Usage()
        raise
    return Answer("".join(text), tools.made(), call.finish_reason, await call.close(ctx.ports.models))


async def seen(ctx: NodeContext[Any], vision: Vision | None) -> list[Part]:
    """The files that the node's vision shows to the model."""
    if vision is None or not vision.enabled:
        return []
    value = ctx.pool.get(vision.selector)
    return await parts_of(ctx, value if is_list(value) else [value] if value else [], detail=vision.detail)


async def parts_of(ctx: NodeContext[Any], files: Iterable[Any], *, detail: str) -> list[Part]:
    """Files as prompt parts; those that have no such form are left out. A file is its id or its mapping."""
    parts = []
    for file in files:
        name = file.get("related_id") or file.get("id") or "" if isinstance(file, Mapping) else file
        part = await ctx.ports.files.part(name, detail=detail) if isinstance(name, str) else None
        if part is not None:
            parts.append(part)
    return parts


def told_before(turns: Sequence[HistoryTurn], memory: Memory | None) -> str:
    """The conversation as text between tags, a line for each side; nothing when there was none."""
    user, assistant = (memory or Memory()).names
    lines = "\n".join(prompts.turn_text(turn, user, assistant) for turn in turns)
    return f"\n\nThe conversation so far:\n<conversation>\n{lines}\n</conversation>" if lines else ""


def as_one_text(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """The messages as one text that a completion model goes on writing at ``Assistant:``."""
    told = [f"{message.role.value.capitalize()}: {message.text}" for message in messages]
    return [PromptMessage(Role.USER, "\n\n".join([*told, "Assistant:"]))]


def stop_words(own: Any, extra: Sequence[str]) -> tuple[str, ...]:
    words = [own] if isinstance(own, str) else list(own or ())
    return tuple(dict.fromkeys(str(word) for word in [*words, *extra] if word))


def process_data(
    model: ModelChoice, messages: Sequence[PromptMessage], usage: Mapping[str, Any], finish_reason: str, **more: Any
) -> dict[str, Any]:
    """What is kept of a call for those who look into the run; ``usage`` as ``spent`` gives it."""
    return {
        "model_mode": model.mode,
        "prompts": [{"role": message.role.value, "text": message.text} for message in messages],
        "usage": usage,
        "finish_reason": finish_reason,
        "model_provider": model.provider,
        "model_name": model.name,
        **more,
    }


def spent(usage: Usage) -> dict[str, Any]:
    """Usage as a variable of the pool."""
    return msgspec.structs.asdict(usage)


def _window(memory: Memory | None) -> int:
    window = memory.window if memory is not None else None
    if window is None or not window.enabled or not window.size:
        return prompts.TURN_LIMIT
    return min(window.size, prompts.TURN_LIMIT)


class _ToolCalls:
    """Tool calls put together from their pieces."""

    def __init__(self) -> None:
        self._calls: dict[int, list[ToolCallDelta]] = {}

    def add(self, piece: ToolCallDelta) -> None:
        self._calls.setdefault(piece.index, []).append(piece)

    def made(self) -> list[ToolCall]:
        return [_joined(found) for _, found in sorted(self._calls.items())]


def _joined(found: Sequence[ToolCallDelta]) -> ToolCall:
    return ToolCall(
        id=next((piece.id for piece in found if piece.id), ""),
        name=next((piece.name for piece in found if piece.name), ""),
        arguments="".join(piece.arguments for piece in found),
    )
