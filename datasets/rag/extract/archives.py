"""Documents that are archives: how much they would unpack is known before anything is unpacked."""

from __future__ import annotations

import zipfile
from typing import IO, Final

from .base import Unreadable

_MOST_BYTES: Final = 256 * 1024 * 1024
_MOST_PARTS: Final = 10_000


def check(file: IO[bytes]) -> None:
    """Raises Unreadable for an archive that is broken, locked, or a bomb."""
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
        raise Unreadable("The document is damaged: it is a broken archive.") from None
    if any(part.flag_bits & 1 for part in parts):
        raise Unreadable("The document is locked by a password.")
    if len(parts) > _MOST_PARTS or sum(part.file_size for part in parts) > _MOST_BYTES:
        raise Unreadable("The document is too large once it is unpacked.")
