"""How a run's log lies in Redis: one stream per run, each entry a pack of events, the end an entry of its own.

An entry's id is ``<last event id of the pack>-0``; the end marker's is ``<last event id>-1``. Packs may overlap after a retry,
so readers keep only ids above the last one they have.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

E = TypeVar("E")

logger = logging.getLogger(__name__)

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode

PACK = b"e"
END = b"end"


class Stream(Generic[E]):
    """Key names and codec, shared by the writer and the readers."""

    def __init__(self, prefix: str, encode: Callable[[E], bytes], decode: Callable[[bytes], E]) -> None:
        self.prefix = prefix
        self._encode = encode
        self._decode = decode

    def key(self, run_id: UUID) -> str:
        return f"{self.prefix}:run:{run_id}:events"

    def pack(self, entries: Sequence[tuple[int, E]]) -> bytes:
        """An event that cannot be encoded is left out: it must not hold back the other runs of the pipeline."""
        packed: list[tuple[int, bytes]] = []
        for event_id, event in entries:
            try:
                packed.append((event_id, self._encode(event)))
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                logger.error("An event cannot be stored: %s", error, extra={"event_id": event_id})
        return _pack(packed)

    def read(self, rows: Sequence[tuple[bytes, dict[bytes, bytes]]], after: int) -> tuple[list[tuple[int, E]], bool]:
        """The entries above ``after`` in stream rows, and whether the last row is the end marker."""
        entries: list[tuple[int, E]] = []
        ended = False
        for _, fields in rows:
            ended = END in fields
            for event_id, data in _unpack(fields.get(PACK, b"\x90")):
                if event_id <= after:
                    continue
                after = event_id
                try:
                    entries.append((event_id, self._decode(data)))
                except ValueError:
                    logger.warning("An event of another version was skipped.", extra={"event_id": event_id})
        return entries, ended


def rows_of(reply: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Rows of an XRANGE or XREAD reply; a row that was deleted has no fields and is left out."""
    return [(row_id, fields) for row_id, fields in reply or () if fields]
