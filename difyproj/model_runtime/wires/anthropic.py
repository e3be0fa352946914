"""The Anthropic Messages wire: content blocks in, typed events out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from .. import model_facts
from ..base import LanguageModel, ModelRequest, ModelType
from ..messages import AudioPart, Delta, DocumentPart, ImagePart, Part, PromptMessage, Role, TextPart, TokenUsage, ToolCallDelta
from ..model_facts import ModelFacts
from . import exchange
from .answer_format import schema_of
from .parts import arguments, encoded, image_data, numbers, on, refused
from .reader import EventReader

ANSWER_TOOL = "answer"
LONGEST_DEFAULT = 8192
LEAST_THINKING = 1024
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_LIMITS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
    | {"minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties"}
)
_VERBATIM = frozenset({"enum", "const", "default", "examples", "required", "properties", "$defs", "definitions"})
_SAMPLING = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k"}


class _Block(msgspec.Struct):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str | None = None
    thinking: str | None = None


class _Change(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Counted(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class _Message(msgspec.Struct):
    usage: _Counted | None = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    delta: _Change | None = None
    content_block: _Block | None = None
    message: _Message | None = None
    usage: _Counted | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class MessagesReader(EventReader[_Event]):
    """With ``answer_tool`` the arguments of that tool are the answer's text."""

    def __init__(self, label: str, secrets: Sequence[str], *, answer_tool: bool) -> None:
        super().__init__(_decode, label, secrets)
        self._answer_tool = answer_tool
        self._answer_block = -1
        self._call_numbers: dict[int, int] = {}
        self._prompt = 0

    def take(self, event: _Event) -> None:
        match event.type:
            case "content_block_delta" if event.delta is not None:
                self._change(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                self._block(event.index, event.content_block)
            case "message_start" if event.message is not None and event.message.usage is not None:
                self._count(event.message.usage)
            case "message_delta":
                if event.usage is not None:
                    self._count(event.usage)
                if event.delta is not None and event.delta.stop_reason:
                    self._stop(event.delta.stop_reason)
            case "message_stop":
                self.ended = True
            case "error":
                raise self.failure(event.error)

    def _change(self, index: int, change: _Change) -> None:
        if change.text:
            self.text.append(change.text)
        elif change.thinking:
            self.reasoning.append(change.thinking)
        elif change.partial_json:
            if index == self._answer_block:
                self.text.append(change.partial_json)
            else:
                self.calls.append(ToolCallDelta(self._call_numbers.get(index, 0), arguments=change.partial_json))

    def _block(self, index: int, block: _Block) -> None:
        if block.type == "tool_use":
            if self._answer_tool and block.name == ANSWER_TOOL:
                self._answer_block = index
                return
            number = self._call_numbers[index] = len(self._call_numbers)
            self.calls.append(ToolCallDelta(number, block.id, block.name))
        elif block.text:
            self.text.append(block.text)
        elif block.thinking:
            self.reasoning.append(block.thinking)

    def _count(self, counted: _Counted) -> None:
        """Input counts come first and sometimes again; cached input is input all the same."""
        cached = (counted.cache_creation_input_tokens or 0) + (counted.cache_read_input_tokens or 0)
        if counted.input_tokens is not None:
            self._prompt = counted.input_tokens + cached
        self.usage = TokenUsage(self._prompt, counted.output_tokens or 0)

    def _stop(self, reason: str) -> None:
        found = _FINISH.get(reason, reason)
        self.finish_reason = "stop" if found == "tool_calls" and not self._call_numbers else found


class AnthropicMessages(LanguageModel):
    def __init__(self, endpoint: exchange.Endpoint, provider: str) -> None:
        self._endpoint = endpoint
        self._provider = provider

    def stream(self, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        facts = model_facts.find(self._provider, request.model, ModelType.LLM)
        by_tool = schema_of(request) is not None and "output_format" not in facts.quirks
        reader = MessagesReader(self._endpoint.label, self._endpoint.secrets, answer_tool=by_tool)
        payload = body(request, facts, self._endpoint.label)
        return exchange.stream(self._endpoint, self._endpoint.url("messages"), payload, reader, request)


def body(request: ModelRequest, facts: ModelFacts, label: str) -> dict[str, Any]:
    """The JSON of one streamed call."""
    parameters = request.parameters
    turns = _turns(request.messages, label)
    system = "\n\n".join(message.text for message in request.messages if message.role is Role.SYSTEM)
    out: dict[str, Any] = {
        "model": request.model,
        "stream": True,
        "max_tokens": parameters.get("max_tokens") or min(facts.max_output, LONGEST_DEFAULT),
        "messages": turns or [{"role": "user", "content": [{"type": "text", "text": system or "."}]}],
    }
    if system and turns:
        out["system"] = system
    stop = [word for word in request.stop if word.strip()]
    if stop:
        out["stop_sequences"] = stop
    _add_tools(out, request, facts)
    if not _think(out, request, facts) and "no_sampling" not in facts.quirks:
        out |= numbers(parameters, _SAMPLING)
        if "temperature" in out:
            out["temperature"] = min(float(out["temperature"]), 1.0)
            if "one_sampler" in facts.quirks:
                out.pop("top_p", None)
    return out


def _think(out: dict[str, Any], request: ModelRequest, facts: ModelFacts) -> bool:
    """Switches thinking on where asked and possible. Newer models decide how much themselves.

    Older ones have a budget, and the wire forbids thinking with a forced tool and wants signed thoughts back in a round of
    tools, where it is therefore left out.
    """
    asked = request.parameters.get("thinking")
    in_round = bool(request.messages) and request.messages[-1].role is Role.TOOL
    if "adaptive_thinking" in facts.quirks:
        if on(asked):
            out["thinking"] = {"type": "adaptive", "display": "summarized"}
        return on(asked)
    if not on(asked) or "tool_choice" in out or in_round:
        return False
    budget = max(int(request.parameters.get("thinking_budget") or LEAST_THINKING), LEAST_THINKING)
    budget = max(min(budget, facts.max_output - LEAST_THINKING), LEAST_THINKING)
    out["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if out["max_tokens"] <= budget:
        out["max_tokens"] = budget + out["max_tokens"]
    return True


def _add_tools(out: dict[str, Any], request: ModelRequest, facts: ModelFacts) -> None:
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": tool.parameters or {"type": "object"}}
        for tool in request.tools
    ]
    schema = schema_of(request)
    if schema is not None and "output_format" in facts.quirks:
        out["output_config"] = {"format": {"type": "json_schema", "schema": closed(schema)}}
    elif schema is not None:
        tools.append({"name": ANSWER_TOOL, "description": "Gives the answer.", "input_schema": schema})
        choice = {"type": "any"} if request.tools else {"type": "tool", "name": ANSWER_TOOL}
        out["tool_choice"] = choice
    if tools:
        out["tools"] = tools


def closed(schema: Any) -> Any:
    """The schema as the wire's own answer format takes it: closed objects, no limits on sizes and numbers."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    out = {name: value if name in _VERBATIM else closed(value) for name, value in schema.items() if name not in _LIMITS}
    for name in ("properties", "$defs", "definitions"):
        if isinstance(schema.get(name), Mapping):
            out[name] = {key: closed(inner) for key, inner in schema[name].items()}
    if out.get("type") == "object" or "properties" in out:
        out["additionalProperties"] = False
    return out


def _turns(messages: Sequence[PromptMessage], label: str) -> list[dict[str, Any]]:
    """Turns that alternate and begin with the user; neighbours of one role are joined, empty ones left out."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = _blocks(message, label)
        if not blocks:
            continue
        if not turns and role == "assistant":
            turns.append({"role": "user", "content": [{"type": "text", "text": "(The conversation goes on.)"}]})
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: PromptMessage, label: str) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.text}]
    parts: Sequence[Part] = [TextPart(message.content)] if isinstance(message.content, str) else message.content
    blocks = [_part(part, label) for part in parts if not (isinstance(part, TextPart) and not part.text.strip())]
    for call in message.tool_calls:
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments(call.arguments)})
    return blocks


def _part(part: Part, label: str) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            held = image_data(part)
            if held is None:
                return {"type": "image", "source": {"type": "url", "url": part.url}}
            return {"type": "image", "source": {"type": "base64", "media_type": held[0], "data": held[1]}}
        case DocumentPart(mime_type="application/pdf"):
            source = {"type": "base64", "media_type": part.mime_type, "data": encoded(part.data)}
            return {"type": "document", "source": source, "title": part.filename}
        case DocumentPart() if part.mime_type.startswith("text/"):
            source = {"type": "text", "media_type": "text/plain", "data": part.data.decode("utf-8", "replace")}
            return {"type": "document", "source": source, "title": part.filename}
        case DocumentPart() | AudioPart():
            raise refused(label, part)
