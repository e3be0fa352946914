"""all-MiniLM-L6-v2 in this process: sentence vectors of 384 numbers, English, from files that script/install-embeddings made.

Model: Reimers and Gurevych, sentence-transformers/all-MiniLM-L6-v2 (Apache 2.0).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

FOLDER: Final = Path(sys.prefix) / "share" / "difyproj" / "all-minilm-l6-v2"
# What the model was made for; a longer text is the mean of its windows.
WINDOW: Final = 256
_BEGIN, _END = 101, 102


@cache
def is_installed() -> bool:
    files = (FOLDER / "model.onnx").is_file() and (FOLDER / "tokenizer.json").is_file()
    return files and all(find_spec(name) is not None for name in ("onnxruntime", "tokenizers", "numpy"))


def vectors(texts: Sequence[str]) -> list[Sequence[float]]:
    """A unit vector per text. Blocks for some ten milliseconds of one core each.

    The first call loads the model: half a second, and 180 MB, so that it costs nothing where nobody uses it.
    """
    found: list[Sequence[float]] = import_module("difyproj.model_runtime.local.minilm_session").vectors(texts)
    return found


def windows(ids: Sequence[int]) -> Iterator[list[int]]:
    """Tokens in windows of like length, each begun and ended as the model knows it; one of an empty text."""
    room = WINDOW - 2
    count = max(1, -(-len(ids) // room))
    size = max(1, -(-len(ids) // count))
    for start in range(0, max(1, len(ids)), size):
        yield [_BEGIN, *ids[start : start + size], _END]
