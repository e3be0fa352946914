"""Bytes that are to be text: a small file at once, a large one piece by piece."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import IO, Final

from difyproj.kernel.decoding import decoded, encoding_of

from .base import Source, Unreadable

WHOLE: Final = 8 * 1024**2
"""Bytes up to which a text is looked at as a whole, so that its encoding is certain."""
PIECE: Final = 1024**2
_MOST_STRANGE: Final = 0.05
_SAMPLE: Final = 64 * 1024
_BEFORE: Final = 1024
_WIDE: Final = re.compile(rb"[\x80-\xff\0]")
_FEWEST: Final = 8


def text_of(data: bytes) -> str:
    """In whatever encoding it was written, line ends as ours. Raises Unreadable for what is no text."""
    text = decoded(data, _unmarked(data[:_SAMPLE]))
    _check(text[:_SAMPLE])
    return _tidied(text)


def pieces(source: Source) -> Iterator[str]:
    """The text in pieces that end where a line ends, if it has lines. Raises Unreadable as ``text_of``."""
    if source.size <= WHOLE:
        yield text_of(source.read(WHOLE))
        return
    source.file.seek(0)
    held, is_checked = "", False
    for text in _decoded(source.file):
        if not is_checked:
            _check(text[:_SAMPLE])
            is_checked = True
        held += text
        cut = held.rfind("\n") + 1 or (len(held) if len(held) > PIECE else 0)
        # A carriage return may wait for its line feed.
        if cut and held[cut - 1] != "\r":
            yield _tidied(held[:cut])
            held = held[cut:]
    if held:
        yield _tidied(held)


def _decoded(file: IO[bytes]) -> Iterator[str]:
    """ASCII until the first byte that is none: what stands around it tells the encoding."""
    decoder = None
    while data := file.read(PIECE):
        if decoder is None:
            if data.isascii() and b"\0" not in data:
                yield data.decode("ascii")
                continue
            found = _WIDE.search(data)
            assert found is not None
            sample = data[max(0, found.start() - _BEFORE) :][: 4 * _SAMPLE]
            decoder = codecs.getincrementaldecoder(_unmarked(sample) or encoding_of(sample))("replace")
        yield decoder.decode(data)
    if decoder is not None:
        yield decoder.decode(b"", True)


def _unmarked(sample: bytes) -> str | None:
    """UTF-16 that does not say so: every other byte is zero."""
    if sample.count(0) * 3 < len(sample) or len(sample) < _FEWEST:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) < 8 * min(even, odd):
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _check(sample: str) -> None:
    strange = sum(1 for one in sample if one == "\ufffd" or (one < " " and one not in "\t\n\r\f\v\x1b"))
    if strange > len(sample) * _MOST_STRANGE:
        raise Unreadable("The document is no text, and of no other kind that can be read.")


def _tidied(text: str) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\0", "") if "\0" in text else text
