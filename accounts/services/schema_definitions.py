"""JSON schemas that the variable editor offers by name, for structured values that nodes hand to each other."""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required or properties)}


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


_FILE: Final = _object(
    ("name", "size", "extension", "mime_type", "type"),
    name=_TEXT, size=_NUMBER, extension=_TEXT, type=_TEXT, mime_type=_TEXT, transfer_method=_TEXT, url=_TEXT, related_id=_TEXT,
)  # fmt: skip
_FAMILY: Final = _object(parent_content=_TEXT, child_contents=_list(_TEXT))
_PAIR: Final = _object(question=_TEXT, answer=_TEXT)

_SCHEMAS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "file": ("File", _FILE),
    "general_structure": ("General structure", _object(general_chunks=_list(_TEXT))),
    "parent_child_structure": (
        "Parent-child structure",
        _object(parent_mode={"type": "string", "enum": ["paragraph", "full_doc"]}, parent_child_chunks=_list(_FAMILY)),
    ),
    "qa_structure": ("Question and answer structure", _object(qa_chunks=_list(_PAIR))),
}

DEFINITIONS: Final[list[dict[str, Any]]] = [
    {"name": name, "label": label, "schema": {"$schema": _DIALECT, "title": label, **schema}}
    for name, (label, schema) in _SCHEMAS.items()
]
