"""Which form of answer a request wants: a JSON Schema, any JSON, or text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from difyproj.kernel import jsonio

from ..base import ModelRequest


def schema_of(request: ModelRequest) -> Mapping[str, Any] | None:
    """The bare schema of the answer: the request's own, or the ``json_schema`` parameter of forms and imported files."""
    given = wrapped_schema(request)
    if given is None:
        return None
    inner = given.get("schema")
    return inner if isinstance(inner, Mapping) and "type" not in given else given


def wrapped_schema(request: ModelRequest) -> Mapping[str, Any] | None:
    """As ``schema_of``, but still in the OpenAI wire's wrapper (name, schema, strict) where it came in one."""
    if request.response_schema is not None:
        return request.response_schema
    if request.parameters.get("response_format") != "json_schema":
        return None
    text = request.parameters.get("json_schema")
    try:
        parsed = jsonio.loads(text) if isinstance(text, str) and text else text
    except ValueError:
        return None
    return parsed if isinstance(parsed, Mapping) else None


def wants_json(request: ModelRequest) -> bool:
    """Whether the parameters ask for JSON of any shape."""
    wanted = request.parameters.get("response_format", "")
    kind = wanted.get("type", "") if isinstance(wanted, Mapping) else wanted
    return str(kind).lower().startswith("json")
