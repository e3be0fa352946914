"""Token counts: the estimate, the shipped encodings, and what happens without them."""

from __future__ import annotations

import base64
import hashlib
import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from difyproj.model_runtime import encodings, tokens

# SHA-256 of OpenAI's published rank files, as its tokeniser library names them.
ORIGINALS = {
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_shipped_ranks_rebuild_the_originals(name: str) -> None:
    ranks = encodings.unpack(lzma.decompress((tokens.RANKS / f"{name}.xz").read_bytes()))
    text = b"".join(b"%b %d\n" % (base64.b64encode(token), rank) for token, rank in ranks.items())
    assert hashlib.sha256(text).hexdigest() == ORIGINALS[name]


@pytest.mark.parametrize(
    ("text", "model", "count"),
    [
        ("hello world", "gpt-4", 2),
        ("hello world", "gpt-4o", 2),
        ("antidisestablishmentarianism", "gpt-3.5-turbo", 6),
        ("antidisestablishmentarianism", "gpt-4o", 6),
        ("\u304a\u8a95\u751f\u65e5\u304a\u3081\u3067\u3068\u3046", "gpt-4", 9),
        ("\u304a\u8a95\u751f\u65e5\u304a\u3081\u3067\u3068\u3046", "gpt-4o", 8),
        ("<|endoftext|>", "gpt-4o", 7),
        ("", "gpt-4o", 0),
    ],
)
async def test_counts_are_the_published_ones(text: str, model: str, count: int) -> None:
    assert await tokens.exact(text, model) == count


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-4.1", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("claude-sonnet-4-5", "o200k_base"),
    ],
)
def test_every_model_has_an_encoding(model: str, name: str) -> None:
    assert tokens.encoding_name(model) == name


@pytest.mark.parametrize(
    "text",
    [
        "The quick brown fox jumps over the lazy dog. " * 20,
        "\u4eba\u5de5\u667a\u80fd\u6b63\u5728\u6539\u53d8\u6211\u4eec\u7684\u751f\u6d3b\u3002" * 20,
        "def f(x):\n    return x + 1\n" * 20,
    ],
)
async def test_the_estimate_is_near_the_count(text: str) -> None:
    real = await tokens.exact(text, "gpt-4o")
    assert 0.6 * real <= tokens.estimate(text) <= 1.8 * real


@pytest.mark.parametrize(("text", "count"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("\u4eba", 1), ("\ud800", 1)])
def test_the_estimate_of_short_texts(text: str, count: int) -> None:
    assert tokens.estimate(text) == count


async def test_without_rank_files_the_estimate_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "RANKS", tmp_path)
    tokens._encoding.cache_clear()
    try:
        assert await tokens.exact("abcde", "gpt-4o") == tokens.estimate("abcde")
    finally:
        tokens._encoding.cache_clear()


def test_importing_the_runtime_loads_neither_the_tokeniser_nor_the_facts() -> None:
    code = (
        "import sys; from difyproj.model_runtime import runtime, tokens, usage, model_facts;"
        "loaded = {'tiktoken', 'openai', 'django', 'difyproj.model_runtime.providers.anthropic'} & set(sys.modules);"
        "sys.exit(f'{loaded}' if loaded or model_facts._read.cache_info().currsize else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
