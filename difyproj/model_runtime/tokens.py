"""Counting tokens without a network: a cheap estimate for every text, and the real byte-pair encodings on request."""

from __future__ import annotations

import asyncio
import lzma
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

from difyproj.kernel.registry import Registry

RANKS = Path(__file__).parent / "ranks"
# A row instead of an import: the library and its tables cost 100 MB and half a second, and most processes never need them.
_LOADER: Registry[Callable[[str, bytes], Any]] = Registry("tokeniser", {"encoding": "difyproj.model_runtime.encodings:build"})
_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokens")
_CL100K = ("gpt-3.5", "gpt-35", "gpt-4-", "text-embedding-")


def estimate(text: str, model: str = "") -> int:
    """Tokens of ``text``, roughly: one per four bytes of UTF-8, which suits English, code and CJK alike. Never blocks."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return (size + 3) // 4


async def exact(text: str, model: str = "") -> int:
    """Tokens of ``text`` in the model's encoding; models of other makers are counted with o200k_base, the closest at hand.

    Runs in a thread of its own. Without the shipped rank files or the tokeniser library it is the estimate.
    """
    if not text:
        return 0
    return await asyncio.get_running_loop().run_in_executor(_THREAD, _count, text, encoding_name(model))


async def decode(ids: Sequence[int], encoding: str) -> str:
    """The text that ``ids`` stand for in the encoding (``cl100k_base``, ``o200k_base``).

    Raises ValueError for ids that it does not know, and without the shipped ranks or the tokeniser library.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREAD, _text, ids, encoding)


def encoding_name(model: str) -> str:
    """``cl100k_base`` for OpenAI's models of 2023 and its embeddings, ``o200k_base`` for everything else."""
    return "cl100k_base" if model == "gpt-4" or model.startswith(_CL100K) else "o200k_base"


def _text(ids: Sequence[int], name: str) -> str:
    encoding = _encoding(name)
    if encoding is None:
        raise ValueError("Tokens cannot be read here.")
    try:
        return str(encoding.decode(list(ids)))
    except (KeyError, OverflowError) as error:
        raise ValueError(f"There is no such token in {name}.") from error


def _count(text: str, name: str) -> int:
    encoding = _encoding(name)
    return estimate(text) if encoding is None else len(encoding.encode_ordinary(text))


@lru_cache(maxsize=2)
def _encoding(name: str) -> Any | None:
    try:
        packed = (RANKS / f"{name}.xz").read_bytes()
        build = _LOADER.get("encoding")
    except (OSError, ImportError):
        return None
    return build(name, lzma.decompress(packed))
