"""The talk of a worker: one request, one reply, again and again, each a length and its bytes on standard input and output."""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

SOCKET: Final = 0
LENGTH: Final = struct.Struct(">I")
MOST_CALLS: Final = 1000
LARGEST_REPLY: Final = 8 * 1024**2

Reply = tuple[Mapping[str, Any], bytes]


class Refused(Exception):
    """The code or template is at fault: ``kind`` is the error's type, the text is for its author."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def serve(answer: Callable[[dict[str, Any]], str], *, most_memory: int) -> None:
    """Answers until the other end closes. A worker that has grown over ``most_memory`` says that it wants to be replaced."""
    _send({"ready": True}, b"")
    calls, room = 0, _memory() + most_memory
    while (length := _read(LENGTH.size)) is not None:
        head, body = _reply(answer, _read(*LENGTH.unpack(length)) or b"{}")
        calls += 1
        _send({**head, "last": calls >= MOST_CALLS or _memory() > room}, body)


def ask(head: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """In the middle of a request: something that only the other end can do, and what it answers."""
    _send({"ask": head}, body)
    length = _read(LENGTH.size)
    told = _read(*LENGTH.unpack(length)) if length else None
    if told is None:
        raise OSError("The other end is gone.")
    first, _, rest = told.partition(b"\n")
    return json.loads(first), rest


def limits() -> dict[str, Any]:
    """What the process was started with."""
    found: dict[str, Any] = json.loads(sys.argv[1])
    return found


def _reply(answer: Callable[[dict[str, Any]], str], asked: bytes) -> Reply:
    try:
        body = answer(json.loads(asked)).encode("utf-8", "replace")
    except Refused as error:
        return {"error": error.kind}, str(error).encode("utf-8", "replace")
    except (ValueError, TypeError, RecursionError, MemoryError, OverflowError) as error:
        return {"error": type(error).__name__}, str(error).encode("utf-8", "replace")
    if len(body) > LARGEST_REPLY:
        return {"error": "MemoryError"}, f"More than {LARGEST_REPLY} bytes came out.".encode()
    return {}, body


def _send(head: Mapping[str, Any], body: bytes) -> None:
    payload = memoryview(json.dumps(head).encode() + b"\n" + body)
    for piece in (memoryview(LENGTH.pack(len(payload))), payload):
        while piece:
            piece = piece[os.write(SOCKET, piece) :]


def _read(size: int) -> bytes | None:
    pieces = bytearray()
    while len(pieces) < size:
        piece = os.read(SOCKET, min(size - len(pieces), 1024**2))
        if not piece:
            return None
        pieces += piece
    return bytes(pieces)


def _memory() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
