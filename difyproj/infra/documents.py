"""Text of documents, extracted by confined processes (``extraction_process``)."""

from __future__ import annotations

import array
import asyncio
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self
from weakref import WeakKeyDictionary

import msgspec
from django.conf import settings

from datasets.rag.extract.base import Extracted, NeedsVision, Page, Unreadable
from datasets.rag.extract.table import likely_format
from workflows.engine.ports import StoragePort

from .extraction_process import LENGTH_BYTES, MESSAGES, Accepted, Head, Message, Refusal, Request, Start

LIMIT: Final = 50 * 1024 * 1024
AT_ONCE, MOST_WAITING = 4, 4
PIECE: Final = 1024 * 1024
LARGEST_FRAME: Final = 256 * 1024 * 1024
_HERE: Final = Path(__file__).resolve().parent
ROOT: Final = _HERE.parents[1]
# The filter of system calls is the sandbox's; its package is not imported, for it knows the settings.
PRELUDE: Final = (
    "import sys; sys.path.insert(1, sys.argv.pop(1)); "
    "from inside import landlock, seccomp; from difyproj.infra import extraction_process; more = {'recvmsg': (47, 212)}; "
    "outer = lambda: (landlock.allow_reading(extraction_process.readable()), seccomp.install(seccomp.PARENT | more)); "
    "inner = lambda: seccomp.install(seccomp.PYTHON | more)\n"
)
_WORD: Final = re.compile(r"[^a-z0-9.+/-]")
_DIED: Final = "The document cannot be read: it needs too much time or memory, or is damaged."

_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one document may take: bytes of text, pages, seconds of waiting, bytes of memory. CPU time grows with its size."""

    text: int = 64 * 1024**2
    pages: int = 5000
    seconds: float = 60.0
    memory: int = 1024**3
    cpu_seconds: int = 20
    bytes_per_cpu_second: int = 4 * 1024**2

    @classmethod
    def of_settings(cls) -> Limits:
        given: Mapping[str, Any] = settings.DOCUMENT_LIMITS
        return cls(**given)


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


async def extracted(
    data: bytes, *, extension: str = "", mime_type: str = "", owner: str = "", limits: Limits = Limits()
) -> Extracted:
    """What a document says; who waits no longer ends the process. Raises Unreadable."""
    turn = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE))
    async with turn:
        reading = await asyncio.to_thread(_opened, data, extension, mime_type, owner, limits)
        try:
            return await asyncio.to_thread(reading.whole)
        finally:
            reading.close()


def _opened(data: bytes, extension: str, mime_type: str, owner: str, limits: Limits) -> Reading:
    with tempfile.TemporaryFile() as given:
        given.write(data)
        given.flush()
        return stream(given, extension=extension, mime_type=mime_type, owner=owner, limits=limits)


def stream(file: IO[bytes], *, extension: str = "", mime_type: str = "", owner: str = "", limits: Limits = Limits()) -> Reading:
    """Reads a document page by page; blocks. What is no file of this machine is copied to one first.

    Documents of one ``owner`` (a tenant, say) may be read by one process after the other's; without an owner a document has a
    process of its own. The file is the child's until the reading ends: it must not be read meanwhile.
    """
    asked = _Asked(_plain(extension).lstrip("."), _plain(mime_type), owner, limits or Limits.of_settings())
    try:
        number = file.fileno()
    except (OSError, AttributeError):
        with tempfile.TemporaryFile() as copy:
            while piece := file.read(PIECE):
                copy.write(piece)
            copy.flush()
            return Reading(asked, copy.fileno())
    return Reading(asked, number)


@dataclass(frozen=True, slots=True)
class _Asked:
    extension: str
    mime_type: str
    owner: str
    limits: Limits


def close() -> None:
    """Ends the processes, those that read too; the next document begins them again."""
    _server.close()


def command(code: str = "extraction_process.serve(outer, inner)") -> list[str]:
    """Runs the server, or other code that knows its walls."""
    return [sys.executable, "-E", "-s", "-B", "-c", PRELUDE + code, str(_HERE / "sandbox")]


class Reading(Iterator[Page]):
    """A document's pages as they come; to be closed by whoever does not want them all. Raises Unreadable."""

    def __init__(self, asked: _Asked, file: int) -> None:
        self._asked = asked
        self._left = asked.limits.seconds
        self._text = 0
        self._waiting: Iterator[Message] = iter(())
        self._head: Head | None = None
        self._socket = self._accepted(file)

    @property
    def head(self) -> Head:
        """Title and facts. Waits until they are known."""
        if self._head is None:
            head = self._next()
            if not isinstance(head, Head):
                raise self._ended(head)
            self._head = head
        return self._head

    @property
    def title(self) -> str:
        return self.head.title

    def _accepted(self, file: int) -> socket.socket:
        """A process that is at work on the file. One that ended for lack of work may take a request with it."""
        limits = self._asked.limits
        cpu = limits.cpu_seconds + os.fstat(file).st_size // limits.bytes_per_cpu_second
        request = Request(self._asked.extension, self._asked.mime_type, limits.pages, cpu)
        likely = likely_format(request.extension, request.mime_type)
        for is_fresh in (False, True, True):
            self._socket = _server.child(Start(likely, limits.memory), "" if is_fresh else self._asked.owner)
            with suppress(OSError):
                _give(self._socket, request, file)
                if (first := self._frame()) and isinstance(first[0], Accepted):
                    return self._socket
            self.close()
        raise Unreadable(_DIED)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Page:
        self.head  # noqa: B018  comes before the pages
        message = self._next()
        if isinstance(message, Page):
            self._text += len(message.text)
            if self._text > self._asked.limits.text:
                self.close()
                raise Unreadable("The document's text is too large.")
            return message
        raise self._ended(message)

    def whole(self) -> Extracted:
        head = self.head
        return Extracted(tuple(self), head.title, head.facts)

    def close(self) -> None:
        """Ends the process that reads. Any thread may."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ended(self, message: Message) -> Exception:
        """What is to be raised when it was the last one."""
        _server.take_back(self._socket, self._asked.owner)
        self._socket = socket.socket()
        if isinstance(message, Refusal):
            return NeedsVision(message.mime_type) if message.is_picture else Unreadable(message.message)
        return StopIteration()

    def _next(self) -> Message:
        message = next(self._waiting, None)
        if message is None:
            frame = self._frame()
            if not frame:
                self.close()
                raise Unreadable(_DIED)
            self._waiting = iter(frame)
            message = next(self._waiting)
        return message

    def _frame(self) -> list[Message]:
        """Empty when the process is gone. Only waiting counts as time."""
        length = int.from_bytes(self._read(LENGTH_BYTES), "big")
        if not 0 < length <= LARGEST_FRAME:
            return []
        try:
            return MESSAGES.decode(self._read(length))
        except msgspec.DecodeError:
            return []

    def _read(self, length: int) -> bytes:
        data = bytearray(length)
        view, at = memoryview(data), 0
        began = time.monotonic()
        try:
            while at < length:
                self._socket.settimeout(max(self._left - (time.monotonic() - began), 0.001))
                got = self._socket.recv_into(view[at:])
                if not got:
                    return b""
                at += got
        except TimeoutError:
            self.close()
            raise Unreadable("Reading the document took too long.") from None
        except OSError:
            return b""
        finally:
            self._left -= time.monotonic() - began
        return bytes(data)


class _Server:
    """The process that forks the children, begun when the first document is read; and the children that wait for the next."""

    def __init__(self) -> None:
        self.begin()
        os.register_at_fork(after_in_child=self.begin)

    def begin(self) -> None:
        """Nothing is known yet. What a parent process of ours began is the parent's."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._waiting: list[tuple[str, socket.socket]] = []

    def child(self, start: Start, owner: str) -> socket.socket:
        """The socket of a process that has read documents of this owner only, or none."""
        with self._lock:
            for at, (name, waiting) in enumerate(self._waiting if owner else ()):
                if name == owner:
                    del self._waiting[at]
                    return waiting
            return self._forked(start)

    def take_back(self, child: socket.socket, owner: str) -> None:
        """It waits for another document of its owner, as long as there are not too many that wait."""
        with self._lock:
            if owner:
                self._waiting.append((owner, child))
            else:
                child.close()
            while len(self._waiting) > MOST_WAITING:
                self._waiting.pop(0)[1].close()

    def _forked(self, start: Start) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                _give(self._running(), start, theirs.fileno())
            except OSError:
                # It had nothing to do, and has ended.
                self._forget()
                _give(self._running(), start, theirs.fileno())
        return ours

    def _running(self) -> socket.socket:
        if self._control is None:
            ours, theirs = socket.socketpair()
            with theirs:
                # It sees no variable of ours: secrets stand there.
                self._process = subprocess.Popen(  # noqa: S603  our own Python
                    command(), stdin=theirs.fileno(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={}, cwd=ROOT
                )  # fmt: skip
            self._control = ours
        return self._control

    def close(self) -> None:
        with self._lock:
            while self._waiting:
                self._waiting.pop()[1].close()
            self._forget()

    def _forget(self) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.wait()
        self._control = self._process = None


def _give(to: socket.socket, message: msgspec.Struct, file: int) -> None:
    to.sendmsg([msgspec.msgpack.encode(message)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", (file,)))])


_server = _Server()


def _plain(word: str) -> str:
    return _WORD.sub("", word.lower())[:100]
