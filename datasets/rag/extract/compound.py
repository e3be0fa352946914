"""Compound files (OLE2), in which old Office versions and Outlook keep their streams: no more than is needed to read one."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO, Final

from .base import Unreadable

MAGIC: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER: Final = 512
_ENTRY: Final = 128
_END: Final = 0xFFFFFFFA
"""Numbers of sectors from here on stand for none."""
_MOST_SECTORS: Final = 1_000_000
_MOST_ENTRIES: Final = 100_000
_MOST_STREAM: Final = 64 * 1024**2
_DAMAGED: Final = "The document is damaged: its parts cannot be found."


class Compound:
    """Streams by path (``storage/stream``). Chains of sectors that go in a circle end at the size of the file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._size = file, size
        file.seek(0)
        header = file.read(_HEADER)
        if len(header) < _HEADER or not header.startswith(MAGIC):
            raise Unreadable(_DAMAGED)
        shift, small_shift = struct.unpack_from("<HH", header, 30)
        if shift not in (9, 12) or small_shift != 6:
            raise Unreadable(_DAMAGED)
        self._sector, self._small = 1 << shift, 1 << small_shift
        (first, _, self._cutoff, small_first, _, more, _) = struct.unpack_from("<IIIIIII", header, 48)
        self._table = self._allocation(struct.unpack_from("<109I", header, 76), more)
        self._entries = self._directory(b"".join(self._chain(first)))
        self._small_table = _numbers(b"".join(self._chain(small_first)))
        self._small_stream = b""
        self.streams = dict(self._paths())

    def read(self, path: str) -> bytes:
        """Empty for a stream that is not there. Raises Unreadable for one that is too large."""
        at = self.streams.get(path)
        if at is None:
            return b""
        start, size = self._entries[at][2:]
        if size > min(_MOST_STREAM, self._size):
            raise Unreadable(_DAMAGED)
        if size >= self._cutoff:
            return b"".join(self._chain(start, size))[:size]
        if not self._small_stream:
            self._small_stream = b"".join(self._chain(self._entries[0][2]))
        found = bytearray()
        while start < _END and start < len(self._small_table) and len(found) < size:
            found += self._small_stream[start * self._small : (start + 1) * self._small]
            start = self._small_table[start]
        return bytes(found[:size])

    def _allocation(self, first: tuple[int, ...], more: int) -> list[int]:
        table: list[int] = []
        sectors = [number for number in first if number < _END]
        while more < _END and len(sectors) <= self._size // self._sector:
            numbers = _numbers(self._read(more))
            sectors += [number for number in numbers[:-1] if number < _END]
            more = numbers[-1] if numbers else _END
        for number in sectors[: self._size // self._sector + 1]:
            table += _numbers(self._read(number))
        return table

    def _chain(self, start: int, size: int | None = None) -> Iterator[bytes]:
        most = (self._size if size is None else size) // self._sector + 1
        for _ in range(min(most, _MOST_SECTORS)):
            if start >= len(self._table):
                return
            yield self._read(start)
            start = self._table[start]

    def _read(self, sector: int) -> bytes:
        self._file.seek((sector + 1) * self._sector)
        return self._file.read(self._sector)

    def _directory(self, data: bytes) -> list[tuple[str, tuple[int, int, int], int, int]]:
        entries = []
        for at in range(0, min(len(data) - _ENTRY + 1, _ENTRY * _MOST_ENTRIES), _ENTRY):
            (length,) = struct.unpack_from("<H", data, at + 64)
            name = data[at : at + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            links = struct.unpack_from("<III", data, at + 68)
            start, size = struct.unpack_from("<IQ", data, at + 116)
            entries.append((name, links, start, size & 0xFFFFFFFF))
        if not entries:
            raise Unreadable(_DAMAGED)
        return entries

    def _paths(self) -> Iterator[tuple[str, int]]:
        """Every entry once, however they point at each other."""
        waiting = [(self._entries[0][1][2], "")]
        seen: set[int] = set()
        while waiting:
            at, folder = waiting.pop()
            if at >= len(self._entries) or at in seen:
                continue
            seen.add(at)
            name, (left, right, child), _, _ = self._entries[at]
            path = f"{folder}{name}"
            yield path, at
            waiting += [(left, folder), (right, folder), (child, f"{path}/")]


def _numbers(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4]))
