"""llm: one call of a language model; its text streams as the variable ``text``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

import msgspec

from difyproj.kernel import jsonio
from difyproj.kernel.errors import CompletionRequestError, InvalidParam
from difyproj.model_runtime.base import ModelRequest
from difyproj.model_runtime.messages import Part, PromptMessage, Role
from workflows.engine import json_schema, json_text, model_call, prompt_template
from workflows.engine import prompt as prompts
from workflows.engine.events import Usage
from workflows.engine.model_config import Memory, ModelChoice, Vision
from workflows.engine.node import Done, Node, NodeContext, NodeStream, NodeText
from workflows.engine.prompt import PreparedPrompt
from workflows.engine.prompt_template import Filler, PromptConfig, PromptTemplate
from workflows.engine.reasoning import SeparatedReasoning, TaggedReasoning
from workflows.engine.streams import closing


class Context(msgspec.Struct, frozen=True):
    enabled: bool = False
    variable_selector: tuple[str, ...] | None = None


class StructuredOutput(msgspec.Struct, frozen=True):
    """``schema`` is a JSON Schema, or its text."""

    schema: dict[str, Any] | str | None = None


class LlmData(msgspec.Struct, frozen=True):
    """``prompt_template`` holds messages with ``{{#node.var#}}`` references (a single one for completion models)."""

    model: ModelChoice
    prompt_template: list[PromptTemplate] | PromptTemplate = []
    prompt_config: PromptConfig | None = None
    memory: Memory | None = None
    vision: Vision | None = None
    context: Context | None = None
    reasoning_format: Literal["tagged", "separated"] = "tagged"
    stop: tuple[str, ...] = ()
    structured_output_enabled: bool = False
    structured_output_switch_on: bool = False
    structured_output: StructuredOutput | None = None

    @property
    def structured(self) -> StructuredOutput | None:
        """The wanted form of the answer, under the old name of its switch or the new one."""
        return self.structured_output if self.structured_output_enabled or self.structured_output_switch_on else None


class PreparedLlmData(LlmData, frozen=True):
    """For graphs built in code: the prompt's text is final, user text in it is never read as a template.

    ``with_context`` makes it where knowledge is searched first: of the text that ``context`` names.
    """

    prompt: PreparedPrompt = PreparedPrompt()
    with_context: Callable[[str], PreparedPrompt] | None = None


class LlmNode(Node[LlmData]):
    schema = LlmData
    retries = True

    async def run(self, ctx: NodeContext[LlmData]) -> NodeStream:
        structured = ctx.data.structured
        wanted = None if structured is None else _schema(structured)
        request = await _request(ctx)
        if wanted is not None:
            request = _asking_for(ctx, request, wanted)
        model = ctx.data.model
        call = ctx.state.open_call(
            model.provider, model.name, prompts.prompt_text(request.messages), execution_id=ctx.execution_id
        )
        separated = ctx.data.reasoning_format == "separated"
        reasoning = SeparatedReasoning(ctx.node_id) if separated else TaggedReasoning()
        text: list[str] = []
        stream = model_call.pieces(ctx, request, call, reasoning)
        async with closing(stream):
            async for piece in stream:
                if type(piece) is NodeText:
                    text.append(piece.text)
                yield piece
        usage = await call.close(ctx.ports.models)
        thoughts = "".join(reasoning.reasoning) if isinstance(reasoning, SeparatedReasoning) else ""
        done = _done("".join(text), thoughts, call.finish_reason, usage, wanted)
        if isinstance(ctx.data, PreparedLlmData):
            # Nobody is shown this graph's nodes, and a whole conversation would go into the log with each question.
            yield done
        else:
            process_data = model_call.process_data(model, request.messages, done.outputs["usage"], call.finish_reason)
            yield replace(done, process_data=process_data)


async def _request(ctx: NodeContext[LlmData]) -> ModelRequest:
    data = ctx.data
    parts = await model_call.seen(ctx, data.vision)
    if isinstance(data, PreparedLlmData):
        prepared, parameters = _with_context(ctx, data), data.model.completion_params
    else:
        prepared = await _prompt(ctx, parts)
        parameters = prompt_template.parameters(ctx.pool, data.model.completion_params)
    return await model_call.request(
        ctx, data.model, parameters, prepared.with_history, memory=data.memory, parts=parts, stop=data.stop
    )


def _with_context(ctx: NodeContext[LlmData], data: PreparedLlmData) -> PreparedPrompt:
    if data.with_context is None or data.context is None:
        return data.prompt
    return data.with_context(prompt_template.context_text(ctx.pool.get(data.context.variable_selector or ())))


async def _prompt(ctx: NodeContext[LlmData], parts: list[Part]) -> PreparedPrompt:
    """The node's own templates with values in place. Files of the context join ``parts``."""
    data = ctx.data
    chosen = data.context
    known = ctx.pool.get(chosen.variable_selector) if chosen and chosen.enabled and chosen.variable_selector else None
    detail = data.vision.detail if data.vision is not None else "high"
    if data.vision is not None and data.vision.enabled:
        parts += await model_call.parts_of(ctx, prompt_template.context_files(known), detail=detail)
    query = data.memory.query_prompt_template if data.memory is not None else None
    filler = Filler(ctx, known, query, detail, data.prompt_config)
    return await prompt_template.prepare(data.prompt_template, filler, data.memory)


def _schema(wanted: StructuredOutput) -> Mapping[str, Any]:
    schema = wanted.schema
    if isinstance(schema, str):
        try:
            schema = jsonio.loads(schema)
        except ValueError:
            schema = None
    if not isinstance(schema, dict) or not schema:
        raise InvalidParam("Structured output is on and has no JSON Schema.", params="structured_output.schema")
    json_schema.check(schema)
    return schema


def _asking_for(ctx: NodeContext[LlmData], request: ModelRequest, schema: Mapping[str, Any]) -> ModelRequest:
    """The request for an answer of that form. A model that knows no such request is told in words, too."""
    model = ctx.data.model
    messages = request.messages
    if model.mode == "completion" or "structured-output" not in ctx.ports.models.features(model.provider, model.name):
        told = f"Answer with one JSON value only, which follows this JSON Schema:\n{jsonio.dumps_text(schema)}"
        messages = [PromptMessage(Role.SYSTEM, told), *messages]
    return replace(request, messages=messages, response_schema=schema)


def _done(text: str, reasoning: str, finish_reason: str, usage: Usage, schema: Mapping[str, Any] | None) -> Done:
    outputs: dict[str, Any] = {
        "text": text,
        "reasoning_content": reasoning,
        "usage": model_call.spent(usage),
        "finish_reason": finish_reason,
        "files": [],
    }
    if schema is not None:
        outputs["structured_output"] = _read(text, schema)
    return Done(outputs=outputs, usage=usage)


def _read(text: str, schema: Mapping[str, Any]) -> Any:
    found = json_text.value(text)
    if found is None:
        raise CompletionRequestError("The model's answer holds no JSON, which the node's structured output asks for.")
    wrong = json_schema.fault(schema, found)
    if wrong:
        raise CompletionRequestError(f"The model's answer does not follow the node's JSON Schema: {wrong}")
    return found
