"""Searches in the copies that this process holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import numpy as np

from . import parts
from .copies import copies


def by_words(
    index: int, dimensions: int, words: Sequence[int], top_k: int, within: Collection[UUID] | None
) -> dict[int, float]:
    """Keys of entries and their BM25, of the best ``top_k`` and what is as good as the last of them."""
    copy = copies.fresh(index, dimensions)
    found: dict[int, float] = {}
    for part, scores in zip(copy.parts, parts.by_words(copy.parts, words, *copy.statistics), strict=True):
        if within is not None:
            scores[~copy.chosen(part, within)] = 0.0
        found |= parts.best(part, scores, top_k, 0.0)
    return found


def by_vector(index: int, dimensions: int, vector: bytes, top_k: int, within: Collection[UUID] | None) -> dict[int, float]:
    """Keys of entries and their inner products with ``vector``."""
    copy = copies.fresh(index, dimensions)
    asked = np.frombuffer(vector, "<f4")
    found: dict[int, float] = {}
    for part in copy.parts:
        found |= part.nearest(asked, copy.chosen(part, within), top_k)
    return found
