"""Ollama's native wire: one JSON document per line, options in an object of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from difyproj.kernel.ids import new_id

from .. import errors
from ..base import Embeddings, LanguageModel, ModelRequest
from ..messages import Delta, ImagePart, Part, PromptMessage, Role, TextPart, TokenUsage, ToolCallDelta
from . import exchange
from .answer_format import schema_of, wants_json
from .parts import arguments, function_tools, image_data, on, refused
from .reader import EventReader

_OPTIONS = {"max_tokens": "num_predict"}
_TOP = frozenset({"keep_alive", "format", "thinking", "response_format", "json_schema"})


class _Function(msgspec.Struct):
    name: str = ""
    arguments: dict[str, Any] | str | None = None


class _Call(msgspec.Struct):
    function: _Function


class _Message(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None


class _Line(msgspec.Struct):
    message: _Message | None = None
    response: str | None = None
    thinking: str | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: int | None = None
    eval_count: int | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Line).decode


class LineReader(EventReader[_Line]):
    by_sse = False

    def __init__(self, label: str) -> None:
        super().__init__(_decode, label)
        self._call_count = 0

    def take(self, event: _Line) -> None:
        if event.error:
            raise self.failure(event.error)
        message = event.message or _Message(event.response, event.thinking)
        if message.content:
            self.text.append(message.content)
        if message.thinking:
            self.reasoning.append(message.thinking)
        for call in message.tool_calls or ():
            given = call.function.arguments
            text = given if isinstance(given, str) else msgspec.json.encode(given or {}).decode()
            self.calls.append(ToolCallDelta(self._call_count, f"call_{new_id().hex[:16]}", call.function.name, text))
            self._call_count += 1
        if event.done:
            self.ended = True
            reason = event.done_reason or "stop"
            self.finish_reason = "tool_calls" if self._call_count and reason == "stop" else reason
            if event.eval_count is not None:
                self.usage = TokenUsage(event.prompt_eval_count or 0, event.eval_count)

    def whole(self, body: bytes) -> exchange.Items:
        """The content type says little here: the lines are the same."""
        return [*self.feed(body + b"\n"), *self.finish()]


class OllamaModel(LanguageModel):
    """``context_size`` in tokens asks the server for that window; 0 leaves it to the server."""

    def __init__(self, endpoint: exchange.Endpoint, context_size: int) -> None:
        self._endpoint = endpoint
        self._context_size = context_size

    def stream(self, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        path = "generate" if request.mode == "completion" else "chat"
        payload = body(request, self._context_size, self._endpoint.label)
        return exchange.stream(self._endpoint, self._endpoint.url(path), payload, LineReader(self._endpoint.label), request)


class _Vectors(msgspec.Struct):
    embeddings: list[list[float]]
    prompt_eval_count: int = 0


async def embed(endpoint: exchange.Endpoint, model: str, texts: Sequence[str], batch: int) -> Embeddings:
    vectors: list[list[float]] = []
    tokens = 0
    for start in range(0, len(texts), batch):
        part = list(texts[start : start + batch])
        answer = await exchange.post_json(endpoint, endpoint.url("embed"), {"model": model, "input": part}, _Vectors)
        if len(answer.embeddings) != len(part):
            raise errors.broken(endpoint.label, f"{len(answer.embeddings)} vectors for {len(part)} texts")
        vectors.extend(answer.embeddings)
        tokens += answer.prompt_eval_count
    return Embeddings(vectors, TokenUsage(prompt_tokens=tokens))


def body(request: ModelRequest, context_size: int, label: str) -> dict[str, Any]:
    """The JSON of one streamed call."""
    parameters = request.parameters
    out: dict[str, Any] = {"model": request.model, "stream": True}
    if request.mode == "completion":
        out["prompt"] = "\n".join(message.text for message in request.messages)
    else:
        out["messages"] = _messages(request.messages, label)
    if request.tools and request.mode != "completion":
        out["tools"] = function_tools(request.tools)
    options = {
        _OPTIONS.get(name, name): value for name, value in parameters.items() if name not in _TOP and value not in (None, "")
    }
    if request.stop:
        options["stop"] = list(request.stop)
    if context_size:
        options.setdefault("num_ctx", context_size)
    if options:
        out["options"] = options
    schema = schema_of(request)
    if schema is not None:
        out["format"] = schema
    elif parameters.get("format") == "json" or wants_json(request):
        out["format"] = "json"
    if parameters.get("thinking") is not None:
        out["think"] = on(parameters["thinking"])
    if parameters.get("keep_alive"):
        out["keep_alive"] = parameters["keep_alive"]
    return out


def _messages(messages: Sequence[PromptMessage], label: str) -> list[dict[str, Any]]:
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    rows: list[dict[str, Any]] = []
    for message in messages:
        row: dict[str, Any] = {"role": message.role.value, "content": message.text}
        if message.role is Role.TOOL:
            row["tool_name"] = message.name or names.get(message.tool_call_id, "")
        if message.tool_calls:
            row["tool_calls"] = [
                {"function": {"name": call.name, "arguments": arguments(call.arguments)}} for call in message.tool_calls
            ]
        images = [] if isinstance(message.content, str) else _images(message.content, label)
        if images:
            row["images"] = images
        rows.append(row)
    return rows


def _images(parts: Sequence[Part], label: str) -> list[str]:
    images: list[str] = []
    for part in parts:
        held = image_data(part) if isinstance(part, ImagePart) else None
        if held is not None:
            images.append(held[1])
        elif not isinstance(part, TextPart):
            raise refused(label, part)
    return images
