"""llm: one call of a language model; its text streams as the variable ``text``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal

import msgspec

from difyproj.kernel.errors import DomainError, InvalidParam
from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import Delta, Part, PromptMessage, Role
from workflows.engine import prompt as prompts
from workflows.engine import template
from workflows.engine.events import ReasoningChunk, Usage
from workflows.engine.node import Done, Node, NodeContext, NodeStream, NodeText
from workflows.engine.pool import MISSING
from workflows.engine.prompt import PreparedPrompt
from workflows.engine.reasoning import SeparatedReasoning, TaggedReasoning
from workflows.engine.state import ModelCall
from workflows.engine.streams import closing
from workflows.engine.values import is_list, to_text

_CONTEXT = "{{#context#}}"


class ModelChoice(msgspec.Struct, frozen=True):
    provider: str
    name: str
    mode: Literal["chat", "completion"] = "chat"
    completion_params: dict[str, Any] = {}


class PromptTemplate(msgspec.Struct, frozen=True):
    """One message. ``edition_type`` other than ``basic`` is refused when the node runs."""

    text: str = ""
    role: Role = Role.USER
    edition_type: str | None = None


class Window(msgspec.Struct, frozen=True):
    enabled: bool = False
    size: int | None = None


class Memory(msgspec.Struct, frozen=True):
    """The conversation goes into the prompt: the newest ``window.size`` turns, or as many as fit."""

    window: Window = Window()
    query_prompt_template: str | None = None


class VisionConfigs(msgspec.Struct, frozen=True):
    detail: str = "high"
    variable_selector: tuple[str, ...] = ("sys", "files")


class Vision(msgspec.Struct, frozen=True):
    enabled: bool = False
    configs: VisionConfigs = VisionConfigs()


class Context(msgspec.Struct, frozen=True):
    enabled: bool = False
    variable_selector: tuple[str, ...] | None = None


class LlmData(msgspec.Struct, frozen=True):
    """``prompt_template`` holds messages with ``{{#node.var#}}`` references (a single one for completion models)."""

    model: ModelChoice
    prompt_template: list[PromptTemplate] | PromptTemplate = []
    memory: Memory | None = None
    vision: Vision | None = None
    context: Context | None = None
    reasoning_format: Literal["tagged", "separated"] = "tagged"
    stop: tuple[str, ...] = ()


class PreparedLlmData(LlmData, frozen=True):
    """For graphs built in code: the prompt's text is final, user text in it is never read as a template."""

    prompt: PreparedPrompt = PreparedPrompt()


class LlmNode(Node[LlmData]):
    schema = LlmData

    async def run(self, ctx: NodeContext[LlmData]) -> NodeStream:
        request = await _request(ctx)
        model = ctx.data.model
        call = ctx.state.open_call(model.provider, model.name, prompts.prompt_text(request.messages))
        separated = ctx.data.reasoning_format == "separated"
        reasoning = SeparatedReasoning(ctx.node_id) if separated else TaggedReasoning()
        text: list[str] = []
        stream = _stream(ctx, request, call, reasoning)
        async with closing(stream):
            async for piece in stream:
                if type(piece) is NodeText:
                    text.append(piece.text)
                yield piece
        usage = await call.close(ctx.ports.models)
        thoughts = "".join(reasoning.reasoning) if isinstance(reasoning, SeparatedReasoning) else ""
        yield _done(model, request.messages, "".join(text), thoughts, call.finish_reason, usage)


async def _stream(
    ctx: NodeContext[LlmData],
    request: ModelRequest,
    call: ModelCall,
    reasoning: TaggedReasoning | SeparatedReasoning,
) -> AsyncGenerator[NodeText | ReasoningChunk, None]:
    """The call's pieces. A call that fails before its first piece cost nothing."""
    try:
        async with closing(ctx.ports.models.stream(call.provider, request)) as stream:
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


async def _request(ctx: NodeContext[LlmData]) -> ModelRequest:
    data, models = ctx.data, ctx.ports.models
    model = data.model
    parameters = {name: value for name, value in model.completion_params.items() if value is not None}
    stop = _stop_words(parameters.pop("stop", None), data.stop)
    prepared = data.prompt if isinstance(data, PreparedLlmData) else _render(ctx)
    size = models.context_size(model.provider, model.name)

    def count(text: str) -> int:
        return models.count_tokens(model.provider, model.name, text)

    bare = prompts.prompt_text(prepared.with_history(()))
    turns = prompts.fit_history(
        ctx.history if data.memory is not None else (),
        bare,
        context_size=size,
        max_tokens=prompts.number(parameters.get("max_tokens")),
        count=count,
        limit=_window(data.memory),
    )
    messages = prompts.attach(prepared.with_history(turns), await _files(ctx))
    if not messages:
        raise InvalidParam("The prompt is empty: write a prompt or ask a question.")
    return ModelRequest(
        model=model.name,
        messages=messages,
        parameters=prompts.fit_answer(parameters, prompts.prompt_text(messages), context_size=size, count=count),
        stop=stop,
        mode=model.mode,
        user=to_text(ctx.pool.get(("sys", "user_id"))),
    )


def _window(memory: Memory | None) -> int:
    if memory is None or not memory.window.enabled or not memory.window.size:
        return prompts.TURN_LIMIT
    return min(memory.window.size, prompts.TURN_LIMIT)


def _stop_words(own: Any, extra: Sequence[str]) -> tuple[str, ...]:
    words = [own] if isinstance(own, str) else list(own or ())
    return tuple(dict.fromkeys(str(word) for word in [*words, *extra] if word))


def _render(ctx: NodeContext[LlmData]) -> PreparedPrompt:
    """The node's own templates with values in place. A reference to nothing is an error here."""
    data = ctx.data
    rows = data.prompt_template if isinstance(data.prompt_template, list) else [data.prompt_template]
    if any(row.edition_type not in (None, "", "basic") for row in rows):
        raise InvalidParam("The prompt is written in a template language that is not available.", params="prompt_template")
    before = tuple(PromptMessage(row.role, _text(ctx, row.text)) for row in rows)
    if data.memory is None:
        return PreparedPrompt(before)
    query = _text(ctx, data.memory.query_prompt_template or "{{#sys.query#}}")
    return PreparedPrompt(before, (PromptMessage(Role.USER, query),))


def _text(ctx: NodeContext[LlmData], text: str) -> str:
    parsed = template.parse(text)
    for selector in parsed.selectors:
        if ctx.pool.get(selector, MISSING) is MISSING:
            raise InvalidParam(f"The prompt refers to {'.'.join(selector)}, which does not exist.", params="prompt_template")
    rendered = parsed.render(ctx.pool)
    return rendered.replace(_CONTEXT, _context(ctx)) if _CONTEXT in text else rendered


def _context(ctx: NodeContext[LlmData]) -> str:
    chosen = ctx.data.context
    if chosen is None or not chosen.enabled or not chosen.variable_selector:
        return ""
    value = ctx.pool.get(chosen.variable_selector)
    if not is_list(value):
        return to_text(value)
    return "\n".join(to_text(item.get("content")) if isinstance(item, dict) else to_text(item) for item in value)


async def _files(ctx: NodeContext[LlmData]) -> list[Part]:
    vision = ctx.data.vision
    if vision is None or not vision.enabled:
        return []
    value = ctx.pool.get(vision.configs.variable_selector)
    found = value if is_list(value) else [value] if value else []
    parts = []
    for file in found:
        name = file if isinstance(file, str) else file.get("related_id") or file.get("id") or ""
        part = await ctx.ports.files.part(name, detail=vision.configs.detail)
        if part is not None:
            parts.append(part)
    return parts


def _done(
    model: ModelChoice, messages: Sequence[PromptMessage], text: str, reasoning: str, finish_reason: str, usage: Usage
) -> Done:
    spent = msgspec.structs.asdict(usage)
    return Done(
        outputs={"text": text, "reasoning_content": reasoning, "usage": spent, "finish_reason": finish_reason, "files": []},
        process_data={
            "model_mode": model.mode,
            "prompts": [{"role": message.role.value, "text": message.text} for message in messages],
            "usage": spent,
            "finish_reason": finish_reason,
            "model_provider": model.provider,
            "model_name": model.name,
        },
        usage=usage,
    )
