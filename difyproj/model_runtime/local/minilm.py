"""all-MiniLM-L6-v2 in this process: sentence vectors of 384 numbers, English, from files that script/install-embeddings made.

Model: Reimers and Gurevych, sentence-transformers/all-MiniLM-L6-v2 (Apache 2.0).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

FOLDER: Final = Path(sys.prefix) / "share" / "difyproj" / "all-minilm-l6-v2"
DIMENSIONS: Final = 384
# What the model was made for; a longer text is the mean of its windows.
WINDOW: Final = 256
WINDOWS_AT_ONCE: Final = 16
_BEGIN, _END = 101, 102

_turn = Lock()


@cache
def is_installed() -> bool:
    files = (FOLDER / "model.onnx").is_file() and (FOLDER / "tokenizer.json").is_file()
    return files and all(find_spec(name) is not None for name in ("onnxruntime", "tokenizers", "numpy"))


def vectors(texts: Sequence[str]) -> list[Sequence[float]]:
    """A unit vector per text. Blocks for about 40 ms of one core each; one call at a time uses the processor."""
    import numpy as np

    tokenizer, session = _loaded()
    windows = [list(_windows(encoding.ids)) for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    flat = [(owner, ids) for owner, pieces in enumerate(windows) for ids in pieces]
    # Windows of like length go together: what is shorter is filled up for nothing.
    flat.sort(key=lambda one: len(one[1]))
    sums = np.zeros((len(texts), DIMENSIONS), np.float32)
    for start in range(0, len(flat), WINDOWS_AT_ONCE):
        batch = flat[start : start + WINDOWS_AT_ONCE]
        longest = len(batch[-1][1])
        ids = np.zeros((len(batch), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, (_, piece) in enumerate(batch):
            ids[row, : len(piece)] = piece
            mask[row, : len(piece)] = 1
        with _turn:
            (made,) = session.run(None, {"ids": ids, "mask": mask})
        for row, (owner, piece) in enumerate(batch):
            sums[owner] += made[row] * len(piece)
    found: list[Sequence[float]] = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).tolist()
    return found


def _windows(ids: Sequence[int]) -> Iterator[list[int]]:
    """Tokens in windows of like length, each begun and ended as the model knows it; one of an empty text."""
    room = WINDOW - 2
    count = max(1, -(-len(ids) // room))
    size = max(1, -(-len(ids) // count))
    for start in range(0, max(1, len(ids)), size):
        yield [_BEGIN, *ids[start : start + size], _END]


@cache
def _loaded() -> tuple[Any, Any]:
    """Loading takes half a second and 180 MB, so it waits for the first text."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), options, providers=["CPUExecutionProvider"])
    return tokenizer, session
