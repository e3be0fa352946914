"""Words of a text in any script, what two texts share, and a vector made of hashes."""

from __future__ import annotations

import hashlib
import math
import re

from . import texts

DIMENSIONS = 256
_TOKEN = re.compile(r"[a-z0-9_]+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[^\W\d_a-z]+", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])|\n+")


def terms(text: str) -> list[str]:
    """Lower-case words with filler left out; runs of wide characters as pairs of characters."""
    found: list[str] = []
    filler = texts.filler()
    for token in _TOKEN.findall(text.lower()):
        if texts.is_wide(token):
            found.extend([token[at : at + 2] for at in range(len(token) - 1)] or [token])
        else:
            found.extend(word for word in token.split("_") if word and word not in filler)
    return found


def overlap(query: str, text: str) -> float:
    """The share of the query's words that the text has, 0 to 1; a plural counts as its singular."""
    wanted = {_stem(term) for term in terms(query)}
    if not wanted:
        return 0.0
    return len(wanted & {_stem(term) for term in terms(text)}) / len(wanted)


def sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def vector(text: str) -> list[float]:
    """A unit vector of DIMENSIONS numbers: each word adds or takes one at the place its hash names."""
    values = [0.0] * DIMENSIONS
    for term in terms(text) or [text]:
        digest = hashlib.blake2b(_stem(term).encode("utf-8", "replace"), digest_size=4).digest()
        values[int.from_bytes(digest[:2], "big") % DIMENSIONS] += 1.0 if digest[2] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in values))
    if not length:
        values[0] = length = 1.0
    return [value / length for value in values]


def _stem(term: str) -> str:
    return term[:-1] if len(term) > 3 and term.endswith("s") and term.isascii() else term
