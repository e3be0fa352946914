"""Strategies for what callers should not send."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as some

# FUZZ_EXAMPLES makes the search deeper (and random): a thousand take some minutes.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def search(examples: int) -> settings:
    """``examples`` fixed ones in the suite, ``FUZZ_EXAMPLES`` random ones when that is set."""
    return settings(
        max_examples=EXAMPLES or examples,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


PIECES = (
    "\0", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "\U0010ffff", "%00", "%s", "{}", "{{query}}", "{{#sys.query#}}", "'",
    '"', "\\", "\r\n", "\n\nevent: ping\n\n", "<script>", "../..", "null", "NaN", "0", "-1", "🙂", "é", " ", "\t", "\x85",
)  # fmt: skip
texts = some.one_of(
    some.just(""),
    some.text(max_size=20),
    some.lists(some.sampled_from(PIECES), min_size=1, max_size=4).map("".join),
    some.sampled_from(("x" * 255, "x" * 256, "é" * 255, "x" * 5000, "\0" * 300, "🙂" * 256, "x" * 100_000)),
    some.sampled_from(("00000000-0000-0000-0000-000000000000", "00000000-0000-4000-8000-00000000000g", "urn:uuid:x", "{}")),
)
numbers = some.one_of(
    some.sampled_from((0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 99_999, 101, 0.5, -0.0, 1e308)),
    some.floats(),
    some.integers(),
)
scalars = some.one_of(some.none(), some.booleans(), numbers, texts)
values = some.recursive(
    scalars,
    lambda inner: some.one_of(some.lists(inner, max_size=4), some.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
deep = some.sampled_from((50, 300, 3000, 100_000)).flatmap(
    lambda depth: some.sampled_from((b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth))
)
raw = some.one_of(
    some.binary(max_size=40),
    deep,
    some.sampled_from(
        (
            b"", b" ", b"\0", b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0", b"NaN", b"-Infinity", b"1e999", b"{,}", b'{"a":1,"a":2}',
            b'{"inputs":{},"inputs":null,"query":"x","user":"a","user":"b"}', b'{"user":"\xff"}', b'{"user":"\xed\xa0\x80"}',
            b'"' + b"x" * 100_000 + b'"', b"9" * 5000, b"-" + b"9" * 400, b"0." + b"1" * 5000,
        )
    ),
)  # fmt: skip


def fields(known: dict[str, Any]) -> some.SearchStrategy[dict[str, Any]]:
    """Bodies near a good one: some fields odd, some missing, some unknown."""
    each = {name: some.one_of(some.just(value), some.just(value), values) for name, value in known.items()}
    return some.builds(
        lambda base, dropped, added: {**{name: value for name, value in base.items() if name not in dropped}, **added},
        some.fixed_dictionaries(each),
        some.sets(some.sampled_from(sorted(known)), max_size=2) if known else some.just(set()),
        some.dictionaries(texts, values, max_size=2),
    )


def written(value: Any) -> bytes:
    """JSON with everything that Python's writer lets through: lone surrogates, NaN, integers of any size."""
    return json.dumps(value).encode("ascii")
