"""A clamd for tests: it speaks the real protocol on a real socket and knows one virus, the EICAR test file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from django.test.utils import override_settings

# Taken apart, so that no scanner takes this file for it.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE" + b"!$H+H*"


class FakeClamd:
    """Listens while its context is open, on a unix socket or a loopback port; ``seen`` are the streams it was given."""

    def __init__(self, path: Path | None = None, *, limit: int = 25_000_000) -> None:
        self.seen: list[bytes] = []
        self.address = str(path) if path else ""
        self._path, self._limit = path, limit

    async def __aenter__(self) -> Self:
        if self._path:
            self._server = await asyncio.start_unix_server(self._talk, self._path)
        else:
            self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
            self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """The instance scans its uploads here."""
        with override_settings(ENABLE_VIRUS_SCAN=True, CLAMD_ADDRESS=self.address, CLAMD_TIMEOUT_SECONDS=10.0):
            yield

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = await reader.readuntil(b"\0")
        writer.write(await self._verdict(reader) if command == b"zINSTREAM\0" else b"UNKNOWN COMMAND\0")
        await writer.drain()
        # Closed with unread bytes, the connection would be reset, and the answer might be lost.
        while await reader.read(65536):
            pass
        writer.close()

    async def _verdict(self, reader: asyncio.StreamReader) -> bytes:
        stream = b""
        while size := int.from_bytes(await reader.readexactly(4), "big"):
            if len(stream) + size > self._limit:
                return b"INSTREAM size limit exceeded. ERROR\0"
            stream += await reader.readexactly(size)
        self.seen.append(stream)
        return b"stream: Eicar-Test-Signature FOUND\0" if EICAR in stream else b"stream: OK\0"
