"""The loaded model behind ``minilm``; only ``minilm.vectors`` imports this, for it loads what most processes never need."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any, Final

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from .minilm import FOLDER, windows

DIMENSIONS: Final = 384
WINDOWS_AT_ONCE: Final = 16

# One call at a time uses the processor.
_turn = Lock()


def vectors(texts: Sequence[str]) -> list[Sequence[float]]:
    encodings = _tokenizer().encode_batch(list(texts), add_special_tokens=False)
    pieces = [(owner, window) for owner, encoding in enumerate(encodings) for window in windows(encoding.ids)]
    # Windows of like length go together: what is shorter is filled up for nothing.
    pieces.sort(key=lambda piece: len(piece[1]))
    sums = np.zeros((len(texts), DIMENSIONS), np.float32)
    for start in range(0, len(pieces), WINDOWS_AT_ONCE):
        batch = pieces[start : start + WINDOWS_AT_ONCE]
        for (owner, window), made in zip(batch, _run([window for _, window in batch]), strict=True):
            sums[owner] += made * len(window)
    found: list[Sequence[float]] = (sums / np.linalg.norm(sums, axis=1, keepdims=True)).tolist()
    return found


def _run(batch: Sequence[Sequence[int]]) -> Any:
    ids = np.zeros((len(batch), max(map(len, batch))), np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(batch):
        ids[row, : len(window)] = window
        mask[row, : len(window)] = 1
    with _turn:
        return _session().run(None, {"ids": ids, "mask": mask})[0]


@cache
def _tokenizer() -> Any:
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@cache
def _session() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(FOLDER / "model.onnx"), options, providers=["CPUExecutionProvider"])
