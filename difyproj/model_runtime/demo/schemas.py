"""Values that follow a JSON Schema, filled from the words of a request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 12
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_URL = re.compile(r"https?://\S+")
_SUM = re.compile(r"[\d(][\d\s().+\-*/^%]*")
_OPERATOR = re.compile(r"[+\-*/^%]")
_OPEN, _CLOSE = r"\u0022\u0027\u201c\u2018\u300c", r"\u0022\u0027\u201d\u2019\u300d"
_QUOTED = re.compile(f"[{_OPEN}]([^{_OPEN}{_CLOSE}]{{1,200}})[{_CLOSE}]")


def instance(schema: Mapping[str, Any], text: str) -> Any:
    """A value of the schema's type. Objects get every property; what cannot be known is the text itself, a zero or nothing."""
    return _value(schema, text, "", schema, 0)


def arguments(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """Arguments for a tool: its required parameters, or its first one where none is required."""
    properties: Mapping[str, Any] = schema.get("properties") or {}
    wanted = [name for name in schema.get("required") or () if name in properties] or list(properties)[:1]
    return {name: _value(properties[name], text, name, schema, 0) for name in wanted}


def _value(schema: Any, text: str, name: str, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return None
    if "$ref" in schema:
        return _value(_target(root, str(schema["$ref"])), text, name, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        lower = text.lower()
        return next((option for option in schema["enum"] if str(option).lower() in lower), schema["enum"][0])
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _value(schema[key][0], text, name, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((one for one in kind if one != "null"), "null") if isinstance(kind, list) else kind
    if kind == "object":
        properties: Mapping[str, Any] = schema.get("properties") or {}
        return {key: _value(inner, text, key, root, depth + 1) for key, inner in properties.items()}
    if kind == "array":
        count = max(1, int(schema.get("minItems", 1)))
        return [_value(schema.get("items") or {"type": "string"}, text, name, root, depth + 1)] * count
    return _plain(kind, schema, text, name)


def _plain(kind: str, schema: Mapping[str, Any], text: str, name: str) -> Any:
    if kind in ("integer", "number"):
        found = _NUMBER.search(text)
        value = float(found.group()) if found else float(schema.get("default") or 0)
        value = min(max(value, float(schema.get("minimum", value))), float(schema.get("maximum", value)))
        return int(value) if kind == "integer" or value.is_integer() else value
    if kind == "boolean":
        return bool(schema.get("default", True))
    if kind == "null":
        return None
    return _words(schema, text, name)[: int(schema.get("maxLength", 500))]


def _words(schema: Mapping[str, Any], text: str, name: str) -> str:
    """The piece of the text that a parameter of this name most likely means."""
    hint = f"{name} {schema.get('format', '')} {schema.get('description', '')}".lower()
    for word, find in (("url", _url), ("uri", _url), ("expression", _sum), ("formula", _sum)):
        found = find(text) if word in hint else ""
        if found:
            return found
    quoted = _QUOTED.search(text)
    if quoted:
        return quoted.group(1)
    default = schema.get("default")
    return default if isinstance(default, str) and default else text.strip()


def _url(text: str) -> str:
    found = _URL.search(text)
    return found.group() if found else ""


def _sum(text: str) -> str:
    """The first calculation in the text. Its end is sought from behind: one pattern for all of it could try for ever."""
    for found in _SUM.finditer(text):
        run = found.group()
        end = next((at for at in range(len(run), 0, -1) if run[at - 1].isdecimal() or run[at - 1] == ")"), 0)
        if _OPERATOR.search(run, 1, end - 1):
            return run[:end]
    return ""


def _target(root: Mapping[str, Any], reference: str) -> Any:
    node: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node
