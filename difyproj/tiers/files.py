"""File bodies: read in pieces off the loop, whole or in part, with headers that keep a browser from running their content."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import IO
from urllib.parse import quote

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from .errors import HttpError, plain_response

PIECE = 256 * 1024
MAX_AGE = 3600
SEEKABLE = ("audio/", "video/")
# What a browser may show inline: raster images, audio, video, plain text. Whatever is not named is only downloaded: a PDF
# may run scripts in its viewer, SVG, HTML and XML in the page.
INERT = frozenset(
    f"{kind}/{subtype}"
    for kind, subtypes in {
        "audio": "aac amr flac m4a mp3 mp4 mpeg mpga ogg opus wav wave webm x-m4a x-wav",
        "image": "avif bmp gif jpeg jpg png tiff vnd.microsoft.icon webp x-icon",
        "text": "plain",
        "video": "avi mp4 mpeg ogg quicktime webm x-msvideo",
    }.items()
    for subtype in subtypes.split()
)
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Unsatisfiable(Exception):
    """The asked range begins behind the end of the file."""


class FileBody(StreamingHttpResponse):
    """A stored file. ``as_attachment`` makes it a plain download; otherwise only harmless media keep their type.

    ``part`` is what is sent of it; ``digest`` (a hash of the bytes) lets a client ask whether it has them already.
    """

    def __init__(
        self,
        file: IO[bytes],
        *,
        name: str,
        mime_type: str,
        size: int,
        as_attachment: bool = False,
        part: range | None = None,
        digest: str = "",
        max_age: int = MAX_AGE,
    ) -> None:
        sent = range(size) if part is None else part
        super().__init__(_pieces(file, sent), content_type="application/octet-stream" if as_attachment else mime_type)
        # A body that nobody begins to read does not close its file itself.
        self._resource_closers.append(file.close)  # type: ignore[attr-defined]
        self.headers["Content-Length"] = str(len(sent))
        self.headers["Cache-Control"] = f"public, max-age={max_age}"
        self.headers["X-Content-Type-Options"] = "nosniff"
        self.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
        # Pages of other origins embed files by their signed addresses; nothing is sent by cookie here.
        self.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        self.headers["Referrer-Policy"] = "no-referrer"
        if part is not None:
            self.status_code = 206
            self.headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
        if digest:
            self.headers["ETag"] = f'"{digest}"'
        if mime_type.startswith(SEEKABLE):
            self.headers["Accept-Ranges"] = "bytes"
        if as_attachment or mime_type not in INERT:
            self.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"


def answer(
    request: Request,
    file: IO[bytes],
    *,
    name: str,
    mime_type: str,
    size: int,
    digest: str = "",
    as_attachment: bool = False,
    max_age: int = MAX_AGE,
) -> HttpResponseBase:
    """The file as the request wants it: whole, a part of it (206, 416), only its headers (HEAD), or not again (304)."""
    try:
        part = _part(request, size, digest)
    except Unsatisfiable:
        file.close()
        refused = plain_response(HttpError(416, "requested_range_not_satisfiable", "The file has no such range."))
        refused.headers["Content-Range"] = f"bytes */{size}"
        return refused
    body = FileBody(
        file, name=name, mime_type=mime_type, size=size, as_attachment=as_attachment, part=part, digest=digest, max_age=max_age
    )
    if _is_known(request, digest):
        return _bodiless(body, 304)
    return _bodiless(body, 200) if request.method == "HEAD" else body


def _bodiless(body: FileBody, status: int) -> HttpResponse:
    headers = dict(body.headers)
    body.close()
    if status == 304:
        for name in ("Content-Length", "Content-Type", "Content-Range"):
            headers.pop(name, None)
    return HttpResponse(status=status, headers=headers)


def _is_known(request: Request, digest: str) -> bool:
    """Whether If-None-Match names this file, weakly or not."""
    given = [one.strip().removeprefix("W/") for one in request.headers.get("If-None-Match", "").split(",")]
    return bool(digest) and (f'"{digest}"' in given or given == ["*"])


def _part(request: Request, size: int, digest: str) -> range | None:
    """The bytes of the Range header; None for all of them: several ranges, other units and odd ones are not obliged to be
    heard, nor one that was meant for another version. Raises Unsatisfiable."""
    match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    only_if = request.headers.get("If-Range")
    if request.method != "GET" or match is None or (only_if is not None and only_if.strip() != f'"{digest}"'):
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    start = int(first) if first else max(0, size - int(last))
    stop = min(int(last) + 1, size) if first and last else size
    if start >= size:
        raise Unsatisfiable
    return range(start, stop) if start < stop else None


async def _pieces(file: IO[bytes], part: range) -> AsyncIterator[bytes]:
    left = len(part)
    try:
        if part.start:
            await asyncio.to_thread(file.seek, part.start)
        while left and (piece := await asyncio.to_thread(file.read, min(PIECE, left))):
            left -= len(piece)
            yield piece
    finally:
        file.close()
