"""Bytes that are to be text."""

from __future__ import annotations

from typing import Final

from difyproj.kernel.decoding import decoded

from .base import Unreadable

_MOST_STRANGE: Final = 0.05
_SAMPLE: Final = 64 * 1024


def text_of(data: bytes) -> str:
    """In whatever encoding it was written, line ends as ours. Raises Unreadable for what is no text."""
    text = decoded(data)
    sample = text[:_SAMPLE]
    strange = sum(1 for one in sample if one == "\ufffd" or (one < " " and one not in "\t\n\r\f\v\x1b"))
    if strange > len(sample) * _MOST_STRANGE:
        raise Unreadable("The document is no text, and of no other kind that can be read.")
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
