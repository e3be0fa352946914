"""Several documents as one archive, written while it is sent."""

from __future__ import annotations

import asyncio
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import PurePath
from typing import IO, Final, cast

from django.http import StreamingHttpResponse

from datasets.models import Document
from difyproj.infra.storage import get_storage
from difyproj.kernel import clock

PIECE: Final = 256 * 1024
UNSAFE: Final = str.maketrans(dict.fromkeys('/\\:*?"<>|', "_") | {chr(code): "_" for code in range(32)})


class ZipBody(StreamingHttpResponse):
    """``documents`` have their files, which are stored as they are: most of them are packed already."""

    def __init__(self, documents: Sequence[Document], *, name: str) -> None:
        super().__init__(_sent(_pieces(documents)), content_type="application/zip")
        self.headers["Content-Disposition"] = f'attachment; filename="{name}"'
        self.headers["Cache-Control"] = "no-store"
        self.headers["X-Content-Type-Options"] = "nosniff"


class _Pipe:
    """What the archive writes, until it is taken; it cannot be gone back in."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None: ...

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


def _pieces(documents: Sequence[Document]) -> Iterator[bytes]:
    pipe, storage = _Pipe(), get_storage()
    names: set[str] = set()
    with zipfile.ZipFile(cast(IO[bytes], pipe), "w") as archive:
        for document in documents:
            entry = zipfile.ZipInfo(_free_name(document, names), clock.now().timetuple()[:6])
            with storage.open(document.key) as file, archive.open(entry, "w", force_zip64=True) as target:
                while piece := file.read(PIECE):
                    target.write(piece)
                    yield pipe.take()
    yield pipe.take()


async def _sent(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _free_name(document: Document, taken: set[str]) -> str:
    """Its own name as a plain file's, numbered where several have the same."""
    name = document.name.translate(UNSAFE).strip(". ") or str(document.pk)
    if document.extension and not name.lower().endswith(f".{document.extension}"):
        name = f"{name}.{document.extension}"
    path, free, number = PurePath(name), name, 1
    while free.lower() in taken:
        number += 1
        free = f"{path.stem} ({number}){path.suffix}"
    taken.add(free.lower())
    return free
