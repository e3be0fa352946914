"""Text of strangers' documents, extracted in processes of their own: what breaks a parser breaks nothing else.

A server forks children, which limit themselves before the first byte is parsed. A child reads documents of one owner, one after
the other, and is gone when it has read some, or has grown, or nobody asks. The server itself reads no document. None of them
knows Django or a setting.
"""

from __future__ import annotations

import array
import gc
import os
import resource
import select
import signal
import socket
import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

import msgspec

from datasets.rag.extract.base import NeedsVision, Page, Source, Unreadable
from datasets.rag.extract.table import FORMATS, format_of
from difyproj.kernel import jsonio

OPEN_FILES: Final = 64
IDLE_SECONDS, CHILD_IDLE_SECONDS = 60.0, 10.0
MOST_DOCUMENTS: Final = 200
MOST_CPU_SECONDS: Final = 1200
GROWN_KILOBYTES: Final = 200 * 1024
FRAME_BYTES: Final = 64 * 1024
LONGEST_REQUEST: Final = 4096
LENGTH_BYTES: Final = 4
CONTROL: Final = 0
PACKAGES: Final = ("datasets", "difyproj")
TOO_MUCH: Final = "The document is too large or too deep to be read."

Enclose = Callable[[], object]


class Start(msgspec.Struct, frozen=True):
    """To the server: a child is wanted. Its socket comes beside it."""

    format: str
    memory: int


class Request(msgspec.Struct, frozen=True):
    """To a child: a document is to be read. Its file comes beside it."""

    extension: str
    mime_type: str
    pages: int
    cpu_seconds: int


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """The child is at work on it."""


class Head(msgspec.Struct, frozen=True, tag=True):
    title: str
    facts: dict[str, Any] = msgspec.field(default_factory=dict)


class Refusal(msgspec.Struct, frozen=True, tag=True):
    """Why there is no text, or no more of it, in words for whoever gave the document."""

    message: str
    is_picture: bool = False
    mime_type: str = ""


class End(msgspec.Struct, frozen=True, tag=True):
    """There were no more pages. A reply without it, and without a refusal, is of a child that died."""


Message = Accepted | Head | Page | Refusal | End
MESSAGES: Final = msgspec.msgpack.Decoder(list[Message])
_encoded: Final = msgspec.msgpack.Encoder().encode


def confine(*, memory: int) -> None:
    """No more memory, time, files or processes than documents need, and no written file."""
    for what, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, MOST_CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))


def limit_time(seconds: int) -> None:
    """So much more time of a processor; then the kernel ends the process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = min(int(used.ru_utime + used.ru_stime) + 1 + seconds, MOST_CPU_SECONDS)
    resource.setrlimit(resource.RLIMIT_CPU, (until, MOST_CPU_SECONDS))


def replies(source: Source) -> Iterator[Message]:
    """What a document says. Nothing that a parser does comes out as an error."""
    try:
        document = FORMATS.get(format_of(source))(source)
        yield Head(jsonio.storable(document.title), jsonio.storable(document.facts))
        for at, page in enumerate(document.pages):
            if at >= source.most_pages and page.number:
                raise Unreadable(f"The document has more than {source.most_pages} pages.")
            yield _clean(page)
        yield End()
    except NeedsVision as error:
        yield Refusal(error.message, is_picture=True, mime_type=error.mime_type)
    except Unreadable as error:
        yield Refusal(error.message)
    except (MemoryError, RecursionError):
        yield Refusal(TOO_MUCH)


def _clean(page: Page) -> Page:
    """Without what neither JSON nor a database can hold."""
    if page.text.isascii() and "\0" not in page.text and not page.label:
        return page
    text, label = jsonio.storable(page.text), jsonio.storable(page.label)
    if text == page.text and label == page.label:
        return page
    lines = page.lines if len(text) == len(page.text) else ()
    return Page(page.number, text, label, lines, page.after, page.is_markdown)


def serve(enclose_server: Enclose, enclose_child: Enclose) -> None:
    """Forks a child for each request that comes on standard input, until it closes or nothing came for a while."""
    control, ended = socket.socket(fileno=CONTROL), _ended_children()
    enclose_server()
    gc.collect()
    gc.freeze()
    children: dict[int, int] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(ended, select.POLLIN)
    while ready := poll.poll(None if children else IDLE_SECONDS * 1000):
        for number, _ in ready:
            if number == ended:
                os.read(ended, LONGEST_REQUEST)
            elif number in children:
                os.kill(children[number], signal.SIGKILL)
            elif not (asked := _received(control))[0]:
                for pid in children.values():
                    os.kill(pid, signal.SIGKILL)
                return
            else:
                start, own = msgspec.msgpack.decode(asked[0], type=Start), asked[1]
                children[own] = _started(start, own, control, enclose_child, [*children])
                # Nothing is read there; that whoever asked has hung up is told in any case.
                poll.register(own, 0)
        for own in [own for own, pid in children.items() if os.waitpid(pid, os.WNOHANG)[0]]:
            poll.unregister(own)
            os.close(own)
            del children[own]


def _ended_children() -> int:
    """Becomes readable when a child is gone."""
    ended, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    return ended


def readable() -> list[str]:
    """Where Python and the project's own modules are: all that a child may open."""
    roots = {sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
    here = Path(__file__).resolve().parents[2]
    return [*roots, *(str(here / name) for name in PACKAGES), "/lib", "/lib64", "/usr/lib", "/usr/share/zoneinfo"]


def _received(given: socket.socket) -> tuple[bytes, int]:
    """What was asked, and what came beside it. No bytes: the other end is closed."""
    data, ancillary, _, _ = given.recvmsg(LONGEST_REQUEST, socket.CMSG_SPACE(array.array("i").itemsize))
    numbers = array.array("i")
    for _, _, packed in ancillary:
        numbers.frombytes(packed)
    return (data, numbers[0]) if numbers else (b"", -1)


def _started(start: Start, own: int, control: socket.socket, enclose: Enclose, others: list[int]) -> int:
    # Its modules are loaded once, by the name's word: what the bytes say only the child may know.
    with suppress(LookupError):
        FORMATS.get(start.format)
    pid = os.fork()
    if not pid:
        for other in others:
            os.close(other)
        # What was the server's is the child's own.
        os.dup2(own, CONTROL)
        os.close(own)
        _child(start, control, enclose)
    return pid


def _child(start: Start, asked: socket.socket, enclose: Enclose) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        confine(memory=start.memory)
        enclose()
        for _ in range(MOST_DOCUMENTS):
            if not select.select([asked], [], [], CHILD_IDLE_SECONDS)[0] or not _answered(asked):
                break
        code = 0
    finally:
        os._exit(code)


def _answered(asked: socket.socket) -> bool:
    """Whether the process can go on with another document."""
    data, file = _received(asked)
    if not data:
        return False
    request = msgspec.msgpack.decode(data, type=Request)
    limit_time(request.cpu_seconds)
    _send(asked, [Accepted()])
    with os.fdopen(file, "rb") as given:
        source = Source(given, os.fstat(file).st_size, request.extension, request.mime_type, request.pages)
        _tell(asked, replies(source))
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_maxrss < GROWN_KILOBYTES and used.ru_utime + used.ru_stime < MOST_CPU_SECONDS / 2


def _tell(asked: socket.socket, messages: Iterator[Message]) -> None:
    waiting: list[Message] = []
    size = 0
    for message in messages:
        waiting.append(message)
        size += len(message.text) if isinstance(message, Page) else 0
        if size > FRAME_BYTES:
            _send(asked, waiting)
            waiting, size = [], 0
    _send(asked, waiting)


def _send(asked: socket.socket, messages: list[Message]) -> None:
    data = _encoded(messages)
    asked.sendall(len(data).to_bytes(LENGTH_BYTES, "big") + data)
