"""Cuts a byte stream into lines, however the network cut it, within a bound."""

from __future__ import annotations

from .. import errors

MAX_LINE = 8 * 1024 * 1024
MAX_UNREADABLE = 16


class LineSplitter:
    """``feed`` returns the lines that a piece completes, without their line feed; ``rest`` the unfinished last one."""

    __slots__ = ("_label", "_parts", "_size")

    def __init__(self, label: str) -> None:
        self._label = label
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """Raises ModelCallFailed when a line passes MAX_LINE bytes."""
        lines = piece.split(b"\n")
        last = lines.pop()
        if lines and self._parts:
            lines[0] = b"".join((*self._parts, lines[0]))
            self._parts.clear()
            self._size = 0
        if last:
            self._parts.append(last)
            self._size += len(last)
            if self._size > MAX_LINE:
                raise errors.broken(self._label, f"a line is longer than {MAX_LINE} bytes")
        return lines

    def rest(self) -> bytes:
        rest = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        return rest


class Unreadable:
    """Counts lines that are not the provider's format: a few are skipped, many end the call."""

    __slots__ = ("_label", "count")

    def __init__(self, label: str) -> None:
        self._label = label
        self.count = 0

    def skip(self) -> None:
        """Raises ModelCallFailed after MAX_UNREADABLE lines."""
        self.count += 1
        if self.count > MAX_UNREADABLE:
            raise errors.broken(self._label, f"more than {MAX_UNREADABLE} lines are malformed")
