"""Events that can be sent and kept: a node may give what no JSON holds."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from difyproj.kernel import jsonio
from workflows.engine import events
from workflows.engine.events import RunEvent, TextChunk

Event = TypeVar("Event", bound=RunEvent)
Part = TypeVar("Part", bound=msgspec.Struct)

_encode = msgspec.json.Encoder().encode
LARGEST = 2**63 - 1


def encodable(event: Event) -> Event:
    """The event itself, or one with texts in the place of what is no JSON, and the nearest number for one too large."""
    return measured(event)[0]


def measured(event: Event) -> tuple[Event, int]:
    """The same, and its size in bytes."""
    try:
        size = len(events.encode(event))
        # Readers get JSON, which takes other keys; it would take every number.
        if type(event) is not TextChunk:
            _encode(event)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError, RecursionError):
        event = _rebuilt(event)
        size = len(events.encode(event))
    return event, size


def _rebuilt(part: Part) -> Part:
    return type(part)(**{name: _plain(getattr(part, name)) for name in part.__struct_fields__})


def _plain(value: Any) -> Any:
    """Parts with a type of their own (usage, place, assigned) keep it."""
    if isinstance(value, msgspec.Struct):
        return _rebuilt(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _fitting(jsonio.storable(value))


def _fitting(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _fitting(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_fitting(item) for item in value]
    return _nearest(value) if isinstance(value, int) and not -LARGEST <= value <= LARGEST else value


def _nearest(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return sys.float_info.max if value > 0 else -sys.float_info.max
