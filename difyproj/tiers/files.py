"""File bodies: read in pieces off the loop, with headers that keep a browser from running what they contain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO
from urllib.parse import quote

from django.http import StreamingHttpResponse

PIECE = 256 * 1024
SEEKABLE = ("audio/", "video/")
# What a browser may show inline: raster images, audio, video, PDF, plain text. Whatever is not named is only downloaded.
INERT = frozenset(
    f"{kind}/{subtype}"
    for kind, subtypes in {
        "application": "pdf",
        "audio": "aac amr flac m4a mp3 mp4 mpeg mpga ogg opus wav wave webm x-m4a x-wav",
        "image": "avif bmp gif jpeg jpg png tiff vnd.microsoft.icon webp x-icon",
        "text": "plain",
        "video": "avi mp4 mpeg ogg quicktime webm x-msvideo",
    }.items()
    for subtype in subtypes.split()
)


class FileBody(StreamingHttpResponse):
    """A stored file. ``as_attachment`` makes it a plain download; otherwise only harmless media keep their type."""

    def __init__(self, file: IO[bytes], *, name: str, mime_type: str, size: int, as_attachment: bool = False) -> None:
        super().__init__(_pieces(file), content_type="application/octet-stream" if as_attachment else mime_type)
        # A body that nobody begins to read does not close its file itself.
        self._resource_closers.append(file.close)  # type: ignore[attr-defined]
        self.headers["Content-Length"] = str(size)
        self.headers["Cache-Control"] = "public, max-age=3600"
        self.headers["X-Content-Type-Options"] = "nosniff"
        self.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        if mime_type.startswith(SEEKABLE):
            self.headers["Accept-Ranges"] = "bytes"
        if as_attachment or mime_type not in INERT:
            self.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"


async def _pieces(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        file.close()
