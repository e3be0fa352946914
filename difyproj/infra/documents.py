"""Text of documents, extracted by confined processes (``extraction_process``)."""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final
from weakref import WeakKeyDictionary

import msgspec

from datasets.rag.extract.base import Extracted, Unreadable
from workflows.engine.ports import StoragePort

from . import extraction_process

LIMIT: Final = 50 * 1024 * 1024
SECONDS: Final = 60.0
AT_ONCE: Final = 4
PIECE: Final = 256 * 1024
OUTPUT_BYTES: Final = 64 * 1024 * 1024
_HERE: Final = Path(__file__).resolve().parent
# The filter of system calls is the sandbox's; its package is not imported, for it knows the settings.
START: Final = (
    "import sys; sys.path.insert(1, sys.argv.pop(1)); "
    "from inside import seccomp; from difyproj.infra import extraction_process; "
    "extraction_process.{call}(*sys.argv[1:], lambda: seccomp.install(seccomp.PYTHON))"
)
_WORD: Final = re.compile(r"[^a-z0-9.+/-]")

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class ConfinedDocuments:
    """A run's DocumentPort over its StoragePort."""

    def __init__(self, storage: StoragePort) -> None:
        self._storage = storage

    async def text(self, file: Mapping[str, Any]) -> str:
        """Raises InvalidParam: Unreadable where the document is to blame, else as the storage does."""
        data = await self._storage.read(file, limit=LIMIT)
        extension = str(file.get("extension") or "") or Path(str(file.get("filename") or "")).suffix
        found = await extracted(data, extension=extension, mime_type=str(file.get("mime_type") or ""))
        return found.text


async def extracted(data: bytes, *, extension: str = "", mime_type: str = "") -> Extracted:
    """What a document says; who waits no longer ends the process. Raises Unreadable."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
    async with turn:
        with tempfile.TemporaryFile() as given:
            await asyncio.to_thread(_write, given, data)
            made = await _made(given, _plain(extension).lstrip("."), _plain(mime_type))
    return await asyncio.to_thread(_read, made)


def command(*words: str, call: str = "main") -> list[str]:
    """Runs a function of the process, confined or about to be."""
    return [sys.executable, "-E", "-s", "-B", "-c", START.format(call=call), str(_HERE / "sandbox"), *words]


async def _made(given: IO[bytes], extension: str, mime_type: str) -> bytes:
    # It sees no variable of ours: secrets stand there.
    process = await asyncio.create_subprocess_exec(
        *command(extension, mime_type),
        stdin=given, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={}, cwd=_HERE.parents[1],
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            made = await _output(process)
            code = await process.wait()
    except TimeoutError:
        raise Unreadable("Reading the document took too long.") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if code:
        raise Unreadable("The document cannot be read: it needs too much time or memory, or is damaged.")
    return made


async def _output(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    pieces = bytearray()
    while piece := await process.stdout.read(PIECE):
        pieces += piece
        if len(pieces) > OUTPUT_BYTES:
            raise Unreadable("The document's text is too large.")
    return bytes(pieces)


def _write(file: IO[bytes], data: bytes) -> None:
    file.write(data)
    file.seek(0)


def _read(made: bytes) -> Extracted:
    try:
        reply = extraction_process.REPLY.decode(made)
    except msgspec.DecodeError as error:
        raise Unreadable from error
    if reply.extracted is None:
        raise Unreadable(None if reply.refusal is None else reply.refusal.message)
    return reply.extracted


def _plain(word: str) -> str:
    return _WORD.sub("", word.lower())[:100]
