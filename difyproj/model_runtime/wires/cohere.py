"""Cohere's v2 wire: chat by typed SSE events, and embeddings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from .. import errors
from ..base import Embeddings, LanguageModel, ModelRequest
from ..messages import Delta, ImagePart, Part, PromptMessage, Role, TextPart, TokenUsage, ToolCallDelta
from . import exchange
from .answer_format import schema_of, wants_json
from .parts import data_url, function_tools, numbers, on, refused
from .reader import EventReader

_FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}
_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "p",
    "p": "p",
    "top_k": "k",
    "k": "k",
    "max_tokens": "max_tokens",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Content(msgspec.Struct):
    text: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct):
    content: _Content | list[Any] | None = None
    tool_calls: _Call | list[Any] | None = None
    tool_plan: str | None = None


class _Tokens(msgspec.Struct):
    input_tokens: float | None = None
    output_tokens: float | None = None


class _Counted(msgspec.Struct):
    tokens: _Tokens | None = None
    billed_units: _Tokens | None = None


class _Change(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    usage: _Counted | None = None
    error: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    delta: _Change | None = None
    message: str | None = None


_decode = msgspec.json.Decoder(_Event).decode


class ChatEventReader(EventReader[_Event]):
    def __init__(self, label: str, secrets: Sequence[str] = ()) -> None:
        super().__init__(_decode, label, secrets)
        self._call_numbers: dict[int, int] = {}

    def take(self, event: _Event) -> None:
        change = event.delta
        if change is None:
            if event.message and not event.type:
                raise self.failure({"message": event.message})
            return
        if change.error or change.finish_reason == "ERROR":
            raise self.failure({"message": change.error or "the generation failed"})
        message = change.message
        if message is not None:
            self._message(event.index, message)
        if change.usage is not None:
            counted = change.usage.tokens or change.usage.billed_units or _Tokens()
            self.usage = TokenUsage(int(counted.input_tokens or 0), int(counted.output_tokens or 0))
        if change.finish_reason:
            self.finish_reason = _FINISH.get(change.finish_reason, change.finish_reason.lower())
        if event.type == "message-end":
            self.ended = True

    def _message(self, index: int, message: _Message) -> None:
        if isinstance(message.content, _Content):
            if message.content.text:
                self.text.append(message.content.text)
            if message.content.thinking:
                self.reasoning.append(message.content.thinking)
        if message.tool_plan:
            self.reasoning.append(message.tool_plan)
        call = message.tool_calls
        if isinstance(call, _Call):
            number = self._call_numbers.setdefault(index, len(self._call_numbers))
            function = call.function or _Function()
            self.calls.append(ToolCallDelta(number, call.id or "", function.name or "", function.arguments or ""))


class CohereChat(LanguageModel):
    def __init__(self, endpoint: exchange.Endpoint) -> None:
        self._endpoint = endpoint

    def stream(self, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        reader = ChatEventReader(self._endpoint.label, self._endpoint.secrets)
        payload = body(request, self._endpoint.label)
        return exchange.stream(self._endpoint, self._endpoint.url("chat"), payload, reader, request)


class _Floats(msgspec.Struct, rename={"floats": "float"}):
    floats: list[list[float]]


class _Billed(msgspec.Struct):
    billed_units: _Tokens | None = None


class _Vectors(msgspec.Struct):
    embeddings: _Floats
    meta: _Billed | None = None


async def embed(endpoint: exchange.Endpoint, model: str, texts: Sequence[str], batch: int) -> Embeddings:
    """Every text is embedded as a document; queries and documents share the space."""
    vectors: list[list[float]] = []
    tokens = 0
    for start in range(0, len(texts), batch):
        part = list(texts[start : start + batch])
        asked = {"model": model, "texts": part, "input_type": "search_document", "embedding_types": ["float"]}
        answer = await exchange.post_json(endpoint, endpoint.url("embed"), asked, _Vectors)
        if len(answer.embeddings.floats) != len(part):
            raise errors.broken(endpoint.label, f"{len(answer.embeddings.floats)} vectors for {len(part)} texts")
        vectors.extend(answer.embeddings.floats)
        billed = answer.meta.billed_units if answer.meta else None
        tokens += int((billed and billed.input_tokens) or 0)
    return Embeddings(vectors, TokenUsage(prompt_tokens=tokens))


def body(request: ModelRequest, label: str) -> dict[str, Any]:
    """The JSON of one streamed call."""
    parameters = request.parameters
    out: dict[str, Any] = {"model": request.model, "stream": True}
    out["messages"] = [_message(message, label) for message in request.messages]
    out |= numbers(parameters, _PARAMETERS)
    if request.stop:
        out["stop_sequences"] = list(request.stop)
    if request.tools:
        out["tools"] = function_tools(request.tools)
    schema = schema_of(request)
    if schema is not None:
        out["response_format"] = {"type": "json_object", "schema": schema}
    elif wants_json(request):
        out["response_format"] = {"type": "json_object"}
    if parameters.get("thinking") is not None:
        out["thinking"] = {"type": "enabled" if on(parameters["thinking"]) else "disabled"}
    return out


def _message(message: PromptMessage, label: str) -> dict[str, Any]:
    if message.role is Role.TOOL:
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
    row: dict[str, Any] = {"role": message.role.value}
    if message.tool_calls:
        row["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
            for call in message.tool_calls
        ]
    if message.text or not message.tool_calls:
        content = message.content
        row["content"] = content if isinstance(content, str) else [_part(part, label) for part in content]
    return row


def _part(part: Part, label: str) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image_url", "image_url": {"url": part.url or data_url(part.data, part.mime_type)}}
        case _:
            raise refused(label, part)
