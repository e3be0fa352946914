"""JSON in and out: compact UTF-8 bytes; UUIDs, datetimes, decimals and dataclasses are written as text."""

from __future__ import annotations

from typing import Any

import msgspec

dumps = msgspec.json.Encoder().encode


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
