"""Text of a stranger's document, extracted in a process of its own: what breaks a parser breaks nothing else.

The document comes on standard input, a Reply goes to standard output. It knows no Django and no setting, and its limits are set
before the first byte is parsed.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from typing import Final

import msgspec

from datasets.rag.extract.base import Extracted, Page, Unreadable
from datasets.rag.extract.table import FORMATS, format_of
from difyproj.kernel import jsonio

MEMORY_BYTES, CPU_SECONDS, OPEN_FILES = 1024**3, 20, 64


class Refusal(msgspec.Struct, frozen=True):
    """Why there is no text, in words for whoever gave the document."""

    message: str


class Reply(msgspec.Struct, frozen=True):
    """One of both."""

    extracted: Extracted | None = None
    refusal: Refusal | None = None


REPLY: Final = msgspec.msgpack.Decoder(Reply)


def confine(enclose: Callable[[], object]) -> None:
    """No more memory, time, files or processes than a document needs, and no written file; ``enclose`` has the kernel refuse
    what else is not reading."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))
    enclose()


def reply_to(data: bytes, extension: str, mime_type: str) -> Reply:
    try:
        extract = FORMATS.get(format_of(data, name=f"document.{extension}", mime_type=mime_type))
        return Reply(extracted=_clean(extract(data)))
    except Unreadable as error:
        return Reply(refusal=Refusal(error.message))
    except (MemoryError, RecursionError):
        return Reply(refusal=Refusal("The document is too large or too deep to be read."))


def _clean(found: Extracted) -> Extracted:
    """Without what neither JSON nor a database can hold."""
    pages = [Page(page.number, jsonio.storable(page.text), jsonio.storable(page.label)) for page in found.pages]
    return Extracted(jsonio.storable(found.text), pages, jsonio.storable(found.title))


def main(extension: str, mime_type: str, enclose: Callable[[], object]) -> None:
    confine(enclose)
    sys.stdout.buffer.write(msgspec.msgpack.encode(reply_to(sys.stdin.buffer.read(), extension, mime_type)))
