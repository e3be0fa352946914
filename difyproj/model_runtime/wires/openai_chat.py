"""Reads streams of the OpenAI chat wire and makes its chat calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from .. import errors, model_facts
from ..base import LanguageModel, ModelRequest, ModelType
from ..messages import Delta, TokenUsage, ToolCallDelta
from ..streams import closing, until_stop
from . import exchange
from .openai_body import Dialect, body
from .reader import EventReader

_FINISH = {"function_call": "tool_calls", "max_tokens": "length", "end_turn": "stop"}
_REMEMBERED = 256
# Servers that refused the usage option once; asking again would cost every call a second round trip.
_without_options: set[str] = set()


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Piece(msgspec.Struct):
    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Piece | None = None
    message: _Piece | None = None
    text: str | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class ChatReader(EventReader[_Chunk]):
    def __init__(self, label: str, secrets: Sequence[str] = ()) -> None:
        super().__init__(_decode, label, secrets)
        self._call_ids: list[str] = []

    def take(self, event: _Chunk) -> None:
        if event.error:
            raise self.failure(event.error)
        if event.usage is not None:
            self.usage = TokenUsage(event.usage.prompt_tokens or 0, event.usage.completion_tokens or 0)
        for choice in event.choices or ():
            if choice.index == 0:
                self._choice(choice)

    def _choice(self, choice: _Choice) -> None:
        piece = choice.delta or choice.message
        if piece is not None:
            content = piece.content or piece.refusal
            if content:
                if isinstance(content, str):
                    self.text.append(content)
                else:
                    self._parts(content)
            thought = piece.reasoning_content or piece.reasoning
            if thought:
                self.reasoning.append(thought)
            if piece.tool_calls:
                self._tool_calls(piece.tool_calls)
        if choice.text:
            self.text.append(choice.text)
        if choice.finish_reason:
            self.finish_reason = _FINISH.get(choice.finish_reason, choice.finish_reason)

    def _parts(self, parts: list[Any]) -> None:
        """Some servers send typed parts: text, and thinking that holds texts."""
        for part in parts:
            if not isinstance(part, dict):
                continue
            if isinstance(part.get("text"), str):
                self.text.append(part["text"])
            thinking = part.get("thinking")
            for thought in thinking if isinstance(thinking, list) else ():
                if isinstance(thought, dict) and isinstance(thought.get("text"), str):
                    self.reasoning.append(thought["text"])

    def _tool_calls(self, calls: list[_Call]) -> None:
        for call in calls:
            function = call.function or _Function()
            given = function.arguments
            text = given if isinstance(given, str) else "" if given is None else msgspec.json.encode(given).decode()
            self.calls.append(ToolCallDelta(self._call_index(call), call.id or "", function.name or "", text))

    def _call_index(self, call: _Call) -> int:
        """Servers that leave the index out begin a new call with each new id."""
        if call.index is not None:
            return call.index
        if call.id and (not self._call_ids or self._call_ids[-1] != call.id):
            self._call_ids.append(call.id)
        return max(len(self._call_ids) - 1, 0)


class OpenAIChat(LanguageModel):
    """Chat and legacy completion calls of one endpoint. ``provider`` names the facts that apply."""

    def __init__(self, endpoint: exchange.Endpoint, provider: str, dialect: Dialect) -> None:
        self._endpoint = endpoint
        self._provider = provider
        self._dialect = dialect

    def stream(self, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        quirks = model_facts.find(self._provider, request.model, ModelType.LLM).quirks
        source = self._calls(request, quirks)
        return until_stop(source, request.stop) if request.stop and "no_stop" in quirks else source

    async def _calls(self, request: ModelRequest, quirks: frozenset[str]) -> AsyncIterator[Delta | TokenUsage]:
        """The call, and once more without the usage option for a server that does not know it."""
        path = "completions" if request.mode == "completion" else "chat/completions"
        url = self._endpoint.url(path, request.model)
        payload = body(request, self._dialect, quirks)
        if url in _without_options:
            payload.pop("stream_options", None)
        try:
            async with closing(self._call(url, payload, request)) as items:
                async for item in items:
                    yield item
            return
        except errors.ModelCallFailed as error:
            known = error.upstream_status not in (400, 422) or "stream_options" not in error.message
            if known or payload.pop("stream_options", None) is None:
                raise
        if len(_without_options) >= _REMEMBERED:
            _without_options.clear()
        _without_options.add(url)
        async with closing(self._call(url, payload, request)) as items:
            async for item in items:
                yield item

    def _call(self, url: str, payload: dict[str, Any], request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        reader = ChatReader(self._endpoint.label, self._endpoint.secrets)
        return exchange.stream(self._endpoint, url, payload, reader, request)
