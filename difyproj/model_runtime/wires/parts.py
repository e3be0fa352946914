"""Small pieces that several wires share: data URLs, JSON of tool arguments, parameter names."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from difyproj.kernel import jsonio
from difyproj.kernel.errors import ModelNotSupported

from ..messages import ImagePart, Part, ToolSpec


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def data_url(data: bytes, mime_type: str) -> str:
    return f"data:{mime_type};base64,{encoded(data)}"


def image_data(part: ImagePart) -> tuple[str, str] | None:
    """MIME type and base64 text of an image that is here, or None for one that is only a link."""
    if part.data:
        return part.mime_type, encoded(part.data)
    if part.url.startswith("data:"):
        head, _, body = part.url[5:].partition(",")
        return head.partition(";")[0] or part.mime_type, body
    return None


def refused(label: str, part: Part) -> ModelNotSupported:
    kind = type(part).__name__.removesuffix("Part").lower()
    return ModelNotSupported(f"{label} models take no {kind} parts in this form.")


def arguments(text: str) -> Mapping[str, Any]:
    """Tool arguments as an object, for wires that do not carry them as text; what is not one becomes empty."""
    try:
        parsed = jsonio.loads(text) if text else {}
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def numbers(parameters: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that ``names`` knows, under the wire's names; absent and empty ones are left out."""
    return {wire: parameters[own] for own, wire in names.items() if parameters.get(own) not in (None, "")}


def function_tools(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Tools as the OpenAI wire and its relatives write them."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters or {"type": "object", "properties": {}},
            },
        }
        for tool in tools
    ]


def on(value: Any) -> bool:
    """A switch as forms and imported files write it."""
    return value is True or (isinstance(value, str) and value.lower() in ("true", "on", "enabled", "1"))
