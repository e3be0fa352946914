"""Conversion to structs from many threads: msgspec ends the process when several are the first to use a type at once."""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar

import msgspec

T = TypeVar("T")

_known: Final[set[Any]] = set()
_lock: Final = threading.Lock()


def convert(value: Any, kind: type[T], **options: Any) -> T:
    """``msgspec.convert``, for which one thread at a time gets to know a type and all that it holds."""
    if kind not in _known:
        with _lock:
            msgspec.json.Decoder(kind)
            _known.add(kind)
    made: T = msgspec.convert(value, kind, **options)
    return made
