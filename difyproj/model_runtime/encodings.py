"""OpenAI's byte-pair encodings, built from the shipped ranks. Loaded only when a text is counted exactly."""

from __future__ import annotations

import tiktoken

_CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_TAIL = r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_PATTERNS = {
    "cl100k_base": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k_base": rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_CONTRACTION}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_CONTRACTION}|{_TAIL}",
}


def build(name: str, raw: bytes) -> tiktoken.Encoding:
    """The encoding ``name`` from its unpacked rank file."""
    return tiktoken.Encoding(name=name, pat_str=_PATTERNS[name], mergeable_ranks=unpack(raw), special_tokens={})


def unpack(raw: bytes) -> dict[bytes, int]:
    """Rank files hold each token in rank order as one length byte and its bytes."""
    ranks: dict[bytes, int] = {}
    position = 0
    while position < len(raw):
        end = position + 1 + raw[position]
        ranks[raw[position + 1 : end]] = len(ranks)
        position = end
    return ranks
