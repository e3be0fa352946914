"""Writes requests of the OpenAI chat wire: messages, parts, tools, parameters and answer formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from difyproj.kernel import jsonio

from ..base import ModelRequest
from ..messages import AudioPart, DocumentPart, ImagePart, Part, PromptMessage, Role, TextPart
from .answer_format import schema_of, wrapped_schema
from .parts import data_url, encoded, function_tools, on

SAMPLING = frozenset({"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"})
_HANDLED = frozenset(
    {"stop", "response_format", "json_schema", "max_tokens", "thinking", "stream", "messages", "model", "tools"}
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server differs from the wire's usual form.

    ``schema``: json_schema, or ``object`` for servers that only promise some JSON. ``thinking``: how the switch of that
    name is written: ``object`` ({"type": "enabled"}), ``flag`` (enable_thinking), or nothing.
    """

    schema: str = "json_schema"
    thinking: str = ""
    max_tokens: str = "max_tokens"
    user: bool = False


def body(request: ModelRequest, dialect: Dialect, quirks: frozenset[str]) -> dict[str, Any]:
    """The JSON of one streamed call; unknown parameters pass through as they are."""
    out: dict[str, Any] = {"model": request.model, "stream": True, "stream_options": {"include_usage": True}}
    if request.mode == "completion":
        out["prompt"] = "\n".join(message.text for message in request.messages)
    else:
        out["messages"] = [_message(message) for message in request.messages]
    if request.tools and request.mode != "completion":
        out["tools"] = function_tools(request.tools)
    if request.stop and "no_stop" not in quirks:
        out["stop"] = list(request.stop)
    if dialect.user and request.user:
        out["user"] = request.user
    _answer_format(out, request, dialect)
    _add_parameters(out, request.parameters, dialect, quirks)
    return out


def _add_parameters(out: dict[str, Any], parameters: Mapping[str, Any], dialect: Dialect, quirks: frozenset[str]) -> None:
    dropped = SAMPLING if "no_sampling" in quirks else frozenset()
    for name, value in parameters.items():
        if value is not None and value != "" and name not in _HANDLED and name not in dropped:
            out[name] = value
    limit = parameters.get("max_tokens")
    if limit:
        out["max_completion_tokens" if "max_completion_tokens" in quirks else dialect.max_tokens] = limit
    thinking = parameters.get("thinking")
    if thinking is not None and dialect.thinking == "object":
        out["thinking"] = thinking if isinstance(thinking, Mapping) else {"type": "enabled" if on(thinking) else "disabled"}
    elif thinking is not None and dialect.thinking == "flag":
        out["enable_thinking"] = on(thinking)


def _answer_format(out: dict[str, Any], request: ModelRequest, dialect: Dialect) -> None:
    """A schema wins over the plain type; the parameter may be a type name or the wire's whole object."""
    schema = schema_of(request)
    wanted = request.parameters.get("response_format")
    if schema is None:
        if isinstance(wanted, Mapping):
            out["response_format"] = wanted
        elif wanted and wanted != "json_schema":
            out["response_format"] = {"type": str(wanted).lower()}
        return
    if dialect.schema == "object":
        out["response_format"] = {"type": "json_object"}
        rule = f"Answer with one JSON object that follows this JSON Schema:\n{jsonio.dumps_text(schema)}"
        out.setdefault("messages", []).insert(0, {"role": "system", "content": rule})
        return
    name = str((wrapped_schema(request) or {}).get("name") or "answer")
    out["response_format"] = {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": schema, "strict": strict_ready(schema)},
    }


def strict_ready(schema: Any) -> bool:
    """Whether every object of the schema forbids other keys and requires all its own, as strict mode demands."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if schema.get("type") == "object" or properties is not None:
            required = set(schema.get("required") or ())
            if schema.get("additionalProperties") is not False or required != set(properties or ()):
                return False
        return all(strict_ready(value) for value in schema.values())
    if isinstance(schema, list):
        return all(strict_ready(value) for value in schema)
    return True


def _message(message: PromptMessage) -> dict[str, Any]:
    out: dict[str, Any] = {"role": message.role._value_, "content": _content(message.content)}
    if message.role is Role.TOOL:
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
    if message.name:
        out["name"] = message.name
    if message.tool_calls:
        out["content"] = out["content"] or None
        out["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
            for call in message.tool_calls
        ]
    return out


def _content(content: str | Sequence[Part]) -> Any:
    return content if isinstance(content, str) else [_part(part) for part in content]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            url = part.url or data_url(part.data, part.mime_type)
            return {"type": "image_url", "image_url": {"url": url, "detail": part.detail}}
        case AudioPart():
            form = "wav" if "wav" in part.mime_type else "mp3"
            return {"type": "input_audio", "input_audio": {"data": encoded(part.data), "format": form}}
        case DocumentPart():
            return {"type": "file", "file": {"filename": part.filename, "file_data": data_url(part.data, part.mime_type)}}
