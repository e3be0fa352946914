"""A vector of 384 numbers made of hashes: words, pieces of words, and pairs of wide characters.

It knows no meaning, but it forgives endings and misspellings, needs nothing installed and is the same everywhere. What it
misses, keywords beside it find.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Final
from zlib import crc32

DIMENSIONS: Final = 384
_WIDE: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN: Final = re.compile(rf"[{_WIDE}]+|[^\W{_WIDE}]+")
_WORD, _PIECE, _PAIR, _SINGLE = 1.0, 0.35, 1.0, 0.5
_PIECE_LENGTH: Final = 4


def vector(text: str) -> list[float]:
    """A unit vector; of a text without a word, the first unit vector. Words that come often count by the root of how often."""
    counts: dict[str, int] = {}
    for token in _TOKEN.findall(text.lower()):
        counts[token] = counts.get(token, 0) + 1
    values = [0.0] * DIMENSIONS
    for token, count in counts.items():
        often = math.sqrt(count)
        for place, weight in _features(token):
            values[place] += weight * often
    length = math.sqrt(sum(value * value for value in values))
    if not length:
        values[0] = length = 1.0
    return [value / length for value in values]


@lru_cache(maxsize=50_000)
def _features(token: str) -> tuple[tuple[int, float], ...]:
    """Where a token's features lie, and how much each counts; the hash also gives the sign."""
    if "\u3040" <= token[0] <= "\ud7af":
        names = [(token[at : at + 2], _PAIR) for at in range(len(token) - 1)] + [(sign, _SINGLE) for sign in token]
    else:
        framed = f"<{token}>"
        pieces = range(len(framed) - _PIECE_LENGTH + 1) if len(token) >= _PIECE_LENGTH else ()
        names = [(framed, _WORD)] + [(framed[at : at + _PIECE_LENGTH], _PIECE) for at in pieces]
    found = []
    for name, weight in names:
        digest = crc32(name.encode("utf-8", "replace"))
        found.append((digest % DIMENSIONS, weight if digest >> 31 else -weight))
    return tuple(found)
