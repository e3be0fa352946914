"""Files that lie elsewhere: what they are, and taking them in. Every request goes through the egress client."""

from __future__ import annotations

import asyncio
import mimetypes
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePath
from typing import IO, Final
from urllib.parse import unquote, urlsplit

from django.core.files.uploadedfile import UploadedFile

from apps.models import UploadFile
from difyproj.infra.egress import egress
from difyproj.kernel.errors import BadRequest, FileTooLarge, InvalidParam
from difyproj.kernel.http import EgressResponse, Timeout
from difyproj.kernel.principal import Principal

from . import files
from .file_types import UNKNOWN_TYPE, kind_of, plain_type

LOOK, TAKE = Timeout(connect=5, read=10, total=15), Timeout(connect=5, read=20, total=120)
REDIRECTS: Final = 3
MEMORY_BYTES: Final = 1024 * 1024
FALLBACK_NAME: Final = "file"
_TOTAL: Final = re.compile(r"bytes \d{1,18}-\d{1,18}/(\d{1,18})", re.ASCII)
_NOT_IN_NAMES: Final = str.maketrans(dict.fromkeys('"<>|*?:', "_"))


class RemoteFileRefused(BadRequest):
    """The other server has no such file for us. (Dify's code for it.)"""

    code = "remote_file_upload_error"
    default_message = "The remote server did not give the file."


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """``file_length`` in bytes, 0 when the other server does not say."""

    file_type: str
    file_length: int


async def info(url: str) -> RemoteFile:
    """What the other server says of the file. Raises InvalidParam (EgressRefused and EgressFailed are such)."""
    async with egress().open("HEAD", url, timeout=LOOK, max_redirects=REDIRECTS) as answer:
        if answer.status == 200 and _length(answer):
            return RemoteFile(_type(answer), _length(answer))
    # Some servers know no HEAD or say little; the first byte must do.
    async with egress().open("GET", url, headers={"Range": "bytes=0-0"}, timeout=LOOK, max_redirects=REDIRECTS) as answer:
        if answer.status not in (200, 206):
            raise InvalidParam(f"The remote server answered with {answer.status}.", params="url")
        return RemoteFile(_type(answer), _length(answer))


async def fetch(url: str, *, owner: Principal) -> UploadFile:
    """Take the file in as an upload of ``owner``, by the limits of uploads. Raises what uploads raise, InvalidParam for an
    address that may not be asked or does not answer, and RemoteFileRefused."""
    async with egress().open("GET", url, timeout=TAKE, max_redirects=REDIRECTS) as answer:
        if answer.status != 200:
            raise RemoteFileRefused(f"The remote server answered with {answer.status}.")
        name, declared = _name(answer), _type(answer)
        if not PurePath(name).suffix:
            name += mimetypes.guess_extension(declared) or ""
        limit = files.size_limit(kind_of(PurePath(name).suffix[1:]))
        if _length(answer) > limit:
            raise FileTooLarge
        if declared == UNKNOWN_TYPE:
            declared = mimetypes.guess_type(name)[0] or UNKNOWN_TYPE
        async with _taken(answer, limit) as taken:
            file = UploadedFile(taken, name=name, content_type=declared, size=taken.tell())
            taken.seek(0)
            return await files.keep(files.plan(owner=owner, file=file), file)


@asynccontextmanager
async def _taken(answer: EgressResponse, limit: int) -> AsyncIterator[IO[bytes]]:
    """The whole body, on disk when it is large, read to its end. Raises FileTooLarge."""
    with tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES) as taken:
        async for piece in answer.chunks():
            if taken.tell() + len(piece) > limit:
                raise FileTooLarge
            await asyncio.to_thread(taken.write, piece)
        yield taken


def _type(answer: EgressResponse) -> str:
    return plain_type(answer.headers.get("Content-Type", "").partition(";")[0].strip())


def _length(answer: EgressResponse) -> int:
    part = _TOTAL.fullmatch(answer.headers.get("Content-Range", ""))
    if part:
        return int(part[1])
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 and answer.status == 200 else 0


def _name(answer: EgressResponse) -> str:
    """From Content-Disposition or the address's end, made fit for a name of ours; never a folder."""
    header = Message()
    header["Content-Disposition"] = _clean(answer.headers.get("Content-Disposition", ""))
    for given in (header.get_filename(""), unquote(urlsplit(answer.url).path)):
        name = _clean(re.split(r"[/\\]", given)[-1]).translate(_NOT_IN_NAMES).strip(" .")
        if name:
            return name
    return FALLBACK_NAME


def _clean(text: str) -> str:
    """Without control characters and broken bytes."""
    whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(one for one in whole if one.isprintable())
