"""clamd, asked over its own socket: a file is streamed to it (``zINSTREAM``) and its verdict read.

The scanner is the operator's, named by ``CLAMD_ADDRESS``; no address that a caller gives ever comes here, so this one module
opens a socket without the egress client. Whatever is no clear verdict is ScanFailed: a file is never let through by accident.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from django.conf import settings

MEGABYTE: Final = 1024 * 1024
CONNECT_SECONDS: Final = 5.0
ANSWER_BYTES: Final = 4096
COMMAND, END = b"zINSTREAM\0", bytes(4)
CLEAN, FOUND = "stream: OK", " FOUND"


class ScanFailed(Exception):
    """There is no verdict: the scanner is away, too slow, refuses, or cannot be understood."""


async def scan(pieces: AsyncIterator[bytes]) -> str:
    """The name of what the scanner found in these bytes; empty when they are clean. Raises ScanFailed."""
    try:
        async with asyncio.timeout(settings.CLAMD_TIMEOUT_SECONDS):
            answer = await _ask(pieces)
    except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError) as error:
        raise ScanFailed(f"The virus scanner gave no verdict: {type(error).__name__} {error}".rstrip()) from error
    return verdict(answer)


def verdict(answer: bytes) -> str:
    """What clamd's line says. Raises ScanFailed for anything but a find or a clean file."""
    line = answer.rstrip(b"\0").decode("utf-8", "replace").strip()
    if line == CLEAN:
        return ""
    if line.endswith(FOUND):
        return line.removeprefix("stream: ").removesuffix(FOUND) or "unnamed"
    raise ScanFailed(f"The virus scanner answered {line[:200]!r}.")


async def _ask(pieces: AsyncIterator[bytes]) -> bytes:
    reader, writer = await _connect(settings.CLAMD_ADDRESS)
    answer = asyncio.ensure_future(reader.readuntil(b"\0"))
    try:
        # clamd hangs up on what it will not take; what it said before is the better news.
        with suppress(ConnectionError):
            await _send(writer, pieces, answer)
        return await answer
    finally:
        answer.cancel()
        writer.close()


async def _send(writer: asyncio.StreamWriter, pieces: AsyncIterator[bytes], answer: asyncio.Future[bytes]) -> None:
    """The command, then each piece behind its length, then a length of nothing; less when the answer comes early."""
    left = settings.CLAMD_STREAM_LIMIT * MEGABYTE
    writer.write(COMMAND)
    async for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise ScanFailed("The file is larger than what the virus scanner is given (CLAMD_STREAM_LIMIT).")
        if answer.done():
            return
        writer.write(len(piece).to_bytes(4, "big") + piece)
        await writer.drain()
    writer.write(END)
    await writer.drain()


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(CONNECT_SECONDS):
        if address.startswith("/"):
            return await asyncio.open_unix_connection(address, limit=ANSWER_BYTES)
        host, _, port = address.rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port), limit=ANSWER_BYTES)
