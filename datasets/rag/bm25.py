"""BM25 over bags of words: what an entry's text becomes in an index, and how much a word of a question counts.

A word stands in an index as the CRC-32 of its UTF-8: two words of one dataset that share one are too rare to matter.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections import Counter
from typing import Final

from . import words

K1: Final = 1.2
B: Final = 0.75
# Beyond these a question's words add nothing but work.
MOST_WORDS: Final = 128
MOST_TIMES: Final = 255
_record: Final = struct.Struct("<IB").pack
RECORD_BYTES: Final = 5


def bag(text: str) -> bytes | None:
    """Records of five bytes: a word's number, and how often it stands there (at most 255 times). None without a word."""
    counted = Counter(words.tokens(text))
    if not counted:
        return None
    return b"".join([_record(number(word), times if times < MOST_TIMES else MOST_TIMES) for word, times in counted.items()])


def opened(kept: bytes) -> dict[int, int]:
    """Numbers and times of a bag."""
    return dict(struct.iter_unpack("<IB", kept))


def number(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "replace"))


def asked(text: str) -> list[int]:
    """The words of a question, each once; those that every text holds count only where there is nothing else."""
    found = dict.fromkeys(words.tokens(text))
    telling = [word for word in found if word not in words.STOP_WORDS]
    return [number(word) for word in (telling or found)][:MOST_WORDS]


def rarity(total: int, holding: int) -> float:
    """Of a word that ``holding`` of ``total`` entries hold; never negative."""
    return math.log(1 + (total - holding + 0.5) / (holding + 0.5))
