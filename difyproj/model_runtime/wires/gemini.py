"""The Gemini wire: contents of parts in, candidates by SSE out, and its embeddings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec

from difyproj.kernel.ids import new_id

from .. import errors, model_facts
from ..base import Embeddings, LanguageModel, ModelRequest, ModelType
from ..messages import AudioPart, Delta, DocumentPart, ImagePart, Part, PromptMessage, Role, TextPart, TokenUsage, ToolCallDelta
from . import exchange
from .answer_format import schema_of, wants_json
from .gemini_schema import reduced
from .parts import arguments, encoded, image_data, numbers, on
from .reader import EventReader

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length", "FINISH_REASON_UNSPECIFIED": "", "MALFORMED_FUNCTION_CALL": "tool_calls"}
_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "max_output_tokens": "maxOutputTokens",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
# What the API documents for calls whose signed thoughts were not kept.
_NO_SIGNATURE = "skip_thought_signature_validator"


class _Call(msgspec.Struct):
    name: str = ""
    id: str | None = None
    args: dict[str, Any] | None = None


class _Part(msgspec.Struct):
    text: str | None = None
    thought: bool = False
    functionCall: _Call | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None
    finishReason: str | None = None


class _Counted(msgspec.Struct):
    promptTokenCount: int = 0
    candidatesTokenCount: int = 0
    thoughtsTokenCount: int = 0
    toolUsePromptTokenCount: int = 0


class _Feedback(msgspec.Struct):
    blockReason: str | None = None


class _Chunk(msgspec.Struct):
    candidates: list[_Candidate] | None = None
    usageMetadata: _Counted | None = None
    promptFeedback: _Feedback | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class CandidateReader(EventReader[_Chunk]):
    def __init__(self, label: str, secrets: Sequence[str] = ()) -> None:
        super().__init__(_decode, label, secrets)
        self._call_count = 0

    def take(self, event: _Chunk) -> None:
        if event.error:
            raise self.failure(event.error)
        counted = event.usageMetadata
        if counted is not None:
            said = counted.candidatesTokenCount + counted.thoughtsTokenCount
            self.usage = TokenUsage(counted.promptTokenCount + counted.toolUsePromptTokenCount, said)
        if event.promptFeedback is not None and event.promptFeedback.blockReason:
            raise errors.ModelCallFailed(f"{self.label} blocked the prompt: {event.promptFeedback.blockReason}.")
        for candidate in (event.candidates or ())[:1]:
            for part in (candidate.content and candidate.content.parts) or ():
                self._part(part)
            if candidate.finishReason:
                self._finish(candidate.finishReason)

    def _part(self, part: _Part) -> None:
        if part.text:
            (self.reasoning if part.thought else self.text).append(part.text)
        call = part.functionCall
        if call is not None:
            text = msgspec.json.encode(call.args or {}).decode()
            call_id = call.id or f"call_{new_id().hex[:16]}"
            self.calls.append(ToolCallDelta(self._call_count, call_id, call.name, text))
            self._call_count += 1

    def _finish(self, reason: str) -> None:
        found = _FINISH.get(reason, "content_filter")
        self.finish_reason = "tool_calls" if found == "stop" and self._call_count else found


class GeminiModel(LanguageModel):
    def __init__(self, endpoint: exchange.Endpoint, provider: str) -> None:
        self._endpoint = endpoint
        self._provider = provider

    def stream(self, request: ModelRequest) -> AsyncIterator[Delta | TokenUsage]:
        quirks = model_facts.find(self._provider, request.model, ModelType.LLM).quirks
        url = self._endpoint.url("streamGenerateContent?alt=sse", request.model)
        reader = CandidateReader(self._endpoint.label, self._endpoint.secrets)
        return exchange.stream(self._endpoint, url, body(request, quirks), reader, request)


class _Vector(msgspec.Struct):
    values: list[float]


class _Vectors(msgspec.Struct):
    embeddings: list[_Vector]


async def embed(endpoint: exchange.Endpoint, model: str, texts: Sequence[str], batch: int) -> Embeddings:
    """The API reports no usage for embeddings: it stays zero and marked as estimated."""
    vectors: list[list[float]] = []
    for start in range(0, len(texts), batch):
        part = texts[start : start + batch]
        rows = [{"model": f"models/{model}", "content": {"parts": [{"text": text}]}} for text in part]
        url = endpoint.url("batchEmbedContents", model)
        answer = await exchange.post_json(endpoint, url, {"requests": rows}, _Vectors)
        if len(answer.embeddings) != len(part):
            raise errors.broken(endpoint.label, f"{len(answer.embeddings)} vectors for {len(part)} texts")
        vectors.extend(row.values for row in answer.embeddings)
    return Embeddings(vectors, TokenUsage(estimated=True))


def body(request: ModelRequest, quirks: frozenset[str]) -> dict[str, Any]:
    """The JSON of one streamed call."""
    config = _config(request)
    contents = _contents(request.messages, quirks)
    system = "\n\n".join(message.text for message in request.messages if message.role is Role.SYSTEM)
    out: dict[str, Any] = {"contents": contents or [{"role": "user", "parts": [{"text": system or "."}]}]}
    if system and contents:
        out["systemInstruction"] = {"parts": [{"text": system}]}
    if config:
        out["generationConfig"] = config
    if request.tools:
        declared = []
        for tool in request.tools:
            row: dict[str, Any] = {"name": tool.name, "description": tool.description}
            if tool.parameters.get("properties"):
                row["parameters"] = reduced(tool.parameters)
            declared.append(row)
        out["tools"] = [{"functionDeclarations": declared}]
    return out


def _config(request: ModelRequest) -> dict[str, Any]:
    parameters = request.parameters
    config = numbers(parameters, _PARAMETERS)
    if request.stop:
        config["stopSequences"] = list(request.stop)
    schema = schema_of(request)
    if schema is not None:
        config |= {"responseMimeType": "application/json", "responseSchema": reduced(schema)}
    elif wants_json(request):
        config["responseMimeType"] = "application/json"
    budget = parameters.get("thinking_budget")
    if on(parameters.get("thinking")):
        config["thinkingConfig"] = {"includeThoughts": True} | ({"thinkingBudget": budget} if budget else {})
    elif parameters.get("thinking") is not None and budget is not None:
        config["thinkingConfig"] = {"thinkingBudget": 0}
    return config


def _contents(messages: Sequence[PromptMessage], quirks: frozenset[str]) -> list[dict[str, Any]]:
    """Turns of user and model; neighbours of one role are joined."""
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    contents: list[dict[str, Any]] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        role = "model" if message.role is Role.ASSISTANT else "user"
        parts = _parts(message, names, quirks)
        if parts and contents and contents[-1]["role"] == role:
            contents[-1]["parts"].extend(parts)
        elif parts:
            contents.append({"role": role, "parts": parts})
    return contents


def _parts(message: PromptMessage, names: Mapping[str, str], quirks: frozenset[str]) -> list[dict[str, Any]]:
    if message.role is Role.TOOL:
        name = message.name or names.get(message.tool_call_id, message.tool_call_id)
        return [{"functionResponse": {"name": name, "response": {"result": message.text}}}]
    given: Sequence[Part] = [TextPart(message.content)] if isinstance(message.content, str) else message.content
    parts = [_part(part) for part in given if not (isinstance(part, TextPart) and not part.text)]
    for call in message.tool_calls:
        part: dict[str, Any] = {"functionCall": {"name": call.name, "args": arguments(call.arguments)}}
        if "thought_signature" in quirks:
            part["thoughtSignature"] = _NO_SIGNATURE
        parts.append(part)
    return parts


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"text": part.text}
        case ImagePart():
            held = image_data(part)
            if held is None:
                return {"fileData": {"mimeType": part.mime_type, "fileUri": part.url}}
            return {"inlineData": {"mimeType": held[0], "data": held[1]}}
        case AudioPart() | DocumentPart():
            return {"inlineData": {"mimeType": part.mime_type, "data": encoded(part.data)}}
