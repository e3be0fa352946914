"""Text in bytes whose encoding is stated, guessed, or neither."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
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
_KNOWN: Final = (
    "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1252", "cp1251", "koi8_r", "cp1250", "cp1253", "cp1254", "cp1255",
    "cp1256", "cp874",
)  # fmt: skip
"""What documents are written in. A choice among all encodings finds Arabic in German."""
_LATIN: Final = re.compile(rb"[a-zA-Z][\x80-\xff]{1,2}(?![\x80-\xff])|(?<![\x80-\xff])[\x80-\xff]{1,2}[a-zA-Z]")
_RUN: Final = re.compile(rb"[\x80-\xff]+")
_FEW: Final = 24
"""Fewer bytes than this are too few for statistics."""
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


def encoding_of(sample: bytes) -> str:
    """What ``decoded`` would read it in. The sample may end in the middle of a character."""
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    return next((encoding for encoding in ("utf-8", *_likely(sample[:_SAMPLE])) if _reads(sample, encoding)), "utf-8")


def _reads(sample: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeError:
        return False
    return True


def _guessed(data: bytes) -> str:
    for encoding in _likely(data[:_SAMPLE]):
        text = _read(data, encoding)
        if text is not None:
            return text
    return data.decode("utf-8", "replace")


def _likely(sample: bytes) -> Iterator[str]:
    """Single letters between letters of ours are Latin ones; a little of anything else is Chinese if it can be."""
    runs = _RUN.findall(sample)
    if 2 * len(_LATIN.findall(sample)) > len(runs):
        yield "cp1252"
    elif sum(map(len, runs)) < _FEW:
        yield "gb2312"
    best = from_bytes(sample, cp_isolation=list(_KNOWN)).best()
    if best is not None:
        yield best.encoding
    yield from _KNOWN


def _read(data: bytes, encoding: str) -> str | None:
    try:
        if codecs.lookup(encoding).name in _REFUSED:
            return None
        return data.decode(encoding)
    except (LookupError, UnicodeError, ValueError):
        return None
