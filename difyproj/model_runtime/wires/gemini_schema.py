"""JSON Schema reduced to the part that the Gemini API takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 16
_KEPT = frozenset(
    {"type", "format", "title", "description", "nullable", "enum", "default", "example", "pattern", "anyOf", "items"}
    | {"properties", "required", "propertyOrdering", "minProperties", "maxProperties", "minItems", "maxItems"}
    | {"minLength", "maxLength", "minimum", "maximum"}
)


def reduced(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with local references put in place, ``const`` as an enum, type lists as nullable, the rest left out."""
    return _node(schema, schema, 0)


def _node(node: Any, root: Mapping[str, Any], depth: int) -> dict[str, Any]:
    if not isinstance(node, Mapping) or depth > MAX_DEPTH:
        return {"type": "string"}
    if "$ref" in node:
        return _node(_target(root, str(node["$ref"])), root, depth + 1)
    out = {name: value for name, value in node.items() if name in _KEPT}
    if "const" in node:
        out |= {"type": "string", "enum": [str(node["const"])]}
    for name in ("oneOf", "allOf"):
        if name in node:
            out["anyOf"] = node[name]
    kinds = out.get("type")
    if isinstance(kinds, list):
        named = [kind for kind in kinds if kind != "null"]
        out["type"] = named[0] if named else "string"
        if len(named) < len(kinds):
            out["nullable"] = True
    if "enum" in out:
        out["enum"] = [str(option) for option in out["enum"] if option is not None]
        out["type"] = "string"
    if isinstance(out.get("properties"), Mapping):
        out["properties"] = {name: _node(inner, root, depth + 1) for name, inner in out["properties"].items()}
    if "items" in out:
        out["items"] = _node(out["items"], root, depth + 1)
    if "anyOf" in out:
        out["anyOf"] = [_node(inner, root, depth + 1) for inner in out["anyOf"]]
    return out


def _target(root: Mapping[str, Any], reference: str) -> Any:
    node: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        node = node.get(step) if isinstance(node, Mapping) else None
    return node
