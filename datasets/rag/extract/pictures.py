"""Which kind of picture bytes are, by how they begin."""

from __future__ import annotations

from typing import Final

_MARKS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
}


def picture_type(begin: bytes) -> str:
    """Empty for what is none."""
    if begin.startswith(b"RIFF") and begin[8:12] == b"WEBP":
        return "image/webp"
    if begin.startswith(b"BM") and begin[6:10] == b"\0\0\0\0":
        return "image/bmp"
    return next((kind for mark, kind in _MARKS.items() if begin.startswith(mark)), "")
