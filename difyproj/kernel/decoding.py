"""Text in bytes whose encoding is stated, guessed, or neither."""

from __future__ import annotations

import codecs
from typing import Final

from charset_normalizer import from_bytes

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE: Final = 64 * 1024
_COMMON: Final = ("gb18030", "shift_jis", "euc_kr", "big5", "cp1252")
"""Tried where statistics find nothing, strictest first."""
_REFUSED: Final = frozenset({"punycode", "idna", "undefined"})
"""No encodings of documents, and slow on large ones."""


def decoded(data: bytes, stated: str | None = None) -> str:
    """The text of ``data``: by its mark, as ``stated``, as UTF-8, else by what its bytes look like. Never fails; what cannot be
    read becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    for encoding in ("utf-8",) if stated is None else (stated, "utf-8"):
        text = _read(data, encoding)
        if text is not None:
            return text
    return _guessed(data)


def _guessed(data: bytes) -> str:
    best = from_bytes(data[:_SAMPLE]).best()
    for encoding in ([best.encoding] if best is not None else []) + list(_COMMON):
        text = _read(data, encoding)
        if text is not None:
            return text
    return data.decode("utf-8", "replace")


def _read(data: bytes, encoding: str) -> str | None:
    try:
        if codecs.lookup(encoding).name in _REFUSED:
            return None
        return data.decode(encoding)
    except (LookupError, UnicodeError, ValueError):
        return None
