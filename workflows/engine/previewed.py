"""Values as readers are shown them: whole, or cut where they are too large for anybody to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Dify's own limits of its inspector.
LONGEST_TEXT: Final = 100_000
LONGEST_LIST: Final = 1_000
MOST: Final = 1_000_000


def preview(value: Any) -> tuple[Any, bool]:
    """``value``, shortened where it is too large, and whether it was."""
    cut = _Cut()
    return cut.value(value), cut.happened


class _Cut:
    """Counts characters, about: once ``MOST`` are shown, the rest is left out."""

    def __init__(self) -> None:
        self.happened = False
        self._left = MOST

    def value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {name: self.value(item) for name, item in value.items() if self._has_room(str(name))}
        if isinstance(value, list | tuple):
            self.happened = self.happened or len(value) > LONGEST_LIST
            return [self.value(item) for item in value[:LONGEST_LIST] if self._has_room("")]
        self._left -= 8
        return value

    def _text(self, text: str) -> str:
        most = max(0, min(LONGEST_TEXT, self._left))
        self._left -= min(len(text), most)
        if len(text) <= most:
            return text
        self.happened = True
        return text[:most] + "..."

    def _has_room(self, name: str) -> bool:
        self._left -= len(name)
        if self._left > 0:
            return True
        self.happened = True
        return False
