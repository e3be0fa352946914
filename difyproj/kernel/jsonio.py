"""JSON in and out: compact UTF-8 bytes; UUIDs, datetimes, decimals and dataclasses are written as text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

dumps = msgspec.json.Encoder().encode

DEEPEST = 100


def loads(data: bytes | str) -> Any:
    """Parsed JSON. Raises ValueError for anything that is not JSON."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def indented(value: Any) -> str:
    """For people to read."""
    return msgspec.json.format(dumps(value), indent=2).decode()


def dumps_text(value: Any) -> str:
    return dumps(value).decode()


def storable(value: Any) -> Any:
    """A copy that every database keeps as JSON: texts without NUL and lone surrogates, no number that is none, not too deep."""
    return _storable(value, 0)


def _storable(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {_text(str(name)): _storable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable(item, depth + 1) for item in value]
    return msgspec.to_builtins(value, enc_hook=str)


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "")
