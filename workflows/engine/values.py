"""How values of the pool read as text: plainly in prompts, as Markdown in answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

FILE_MARK = "__dify__file__"
# What graphs may ask of a file, and the keys under which a file's mapping may hold it.
FILE_PARTS: Mapping[str, Sequence[str]] = {
    "type": ("type",),
    "size": ("size",),
    "name": ("filename",),
    "mime_type": ("mime_type",),
    "transfer_method": ("transfer_method",),
    "url": ("remote_url", "url"),
    "extension": ("extension",),
    "related_id": ("related_id",),
}


def is_file(value: Any) -> bool:
    """True for the mapping form in which files travel through a pool."""
    return isinstance(value, Mapping) and value.get("dify_model_identity") == FILE_MARK


def file_part(file: Mapping[str, Any], part: str, default: Any = None) -> Any:
    """One of FILE_PARTS, or what the mapping itself has under ``part``. A part that the file lacks is None."""
    if part not in FILE_PARTS:
        return file.get(part, default)
    return next((file[key] for key in FILE_PARTS[part] if file.get(key) is not None), None)


def is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def to_text(value: Any) -> str:
    """For prompts: None and files are empty, objects and lists of strings are JSON, other lists as Python has them."""
    if isinstance(value, str):
        return value
    if value is None or is_file(value):
        return ""
    if isinstance(value, Mapping):
        return _json(value)
    if is_list(value):
        return _list_text(value)
    return str(value)


def to_markdown(value: Any) -> str:
    """For answers: objects as indented JSON, lists as bullets, files as links."""
    if isinstance(value, str):
        return value
    if is_file(value):
        return _link(value)
    if isinstance(value, Mapping):
        return _json(value, indent=2)
    if is_list(value):
        return "\n".join(_link(item) if is_file(item) else f"- {to_markdown(item)}" for item in value)
    return "" if value is None else str(value)


def files_of(value: Any) -> list[Mapping[str, Any]]:
    """The file, or the files of the list, that ``value`` is; otherwise nothing."""
    if is_file(value):
        return [value]
    return [item for item in value if is_file(item)] if is_list(value) else []


def _list_text(value: Sequence[Any]) -> str:
    if not value or all(is_file(item) for item in value):
        return ""
    return _json(value) if all(isinstance(item, str) for item in value) else str(list(value))


def _link(file: Mapping[str, Any]) -> str:
    url = file.get("url") or file.get("remote_url") or ""
    mark = "!" if file.get("type") == "image" else ""
    return f"{mark}[{file.get('filename') or ''}]({url})"


def _json(value: Any, *, indent: int | None = None) -> str:
    # The standard library's spacing is what prompts and answers of existing apps were written against.
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
