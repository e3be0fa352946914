"""Parts of an index as arrays. A part never changes but for which of its rows are still alive; copies share them.

Rows stand in the order of their keys in the database. ``postings`` are sorted numbers of 64 bits, word (32), row (24), times
(8): where a word stands is a slice. Large arrays are files without a name below ``var``, mapped into memory: the system may
take them out again, and nothing is left of them when the process ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from datasets.rag import bm25

from .neighbours import Graph

Floats = NDArray[np.float32]
Longs = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_ROWS: Final = 1 << 24
MAPPED_BYTES: Final = 8 * 1024 * 1024
# Fewer rows than this share of a part are compared one by one, without the others.
FEW: Final = 0.3
# Entries as good as the last one that is asked for, which are told apart by their ids.
MOST_EQUAL: Final = 1000
_TIMES: Final = np.uint64(0xFF)
_ROWS: Final = np.uint64(MOST_ROWS - 1)
_EIGHT: Final = np.uint64(8)
_RECORD: Final = np.dtype([("word", "<u4"), ("times", "u1")])

Row = tuple[int, int, bytes | None, bytes | None]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """``documents`` are numbers that the copy gives; ``has_vector`` is false where a row of ``vectors`` is empty."""

    ids: Longs
    documents: NDArray[np.int32]
    vectors: Floats
    has_vector: Mask
    lengths: NDArray[np.uint32]
    postings: NDArray[np.uint64]
    alive: Mask
    graph: Graph = field(default_factory=Graph)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def bytes(self) -> int:
        return sum(array.nbytes for array in self._arrays()) + self.graph.bytes

    @property
    def worded(self) -> tuple[int, int]:
        """How many living rows have words, and how many words they have together."""
        lengths = self.lengths[self.alive]
        return int(np.count_nonzero(lengths)), int(lengths.sum(dtype=np.int64))

    def only(self, ids: Longs) -> Part:
        """The part when ``ids`` (sorted) are all that is left of the index."""
        alive = np.isin(self.ids, ids, assume_unique=True, kind="sort")
        return self if np.array_equal(alive, self.alive) else replace(self, alive=alive)

    def nearest(self, vector: Floats, chosen: Mask, top_k: int) -> Mapping[int, float]:
        """Keys and inner products of the best among the chosen rows."""
        chosen = chosen & self.has_vector
        if np.count_nonzero(chosen) > FEW * len(self):
            found = self.graph.nearest(self.ids, self.vectors, vector, chosen, top_k)
            if found is not None:
                return dict(zip(self.ids[found[0]].tolist(), found[1].tolist(), strict=True))
        return best(self, self._compared(vector, chosen), top_k, -np.inf)

    def _compared(self, vector: Floats, chosen: Mask) -> Floats:
        """The inner products of the chosen rows; of others something below every product."""
        found = np.full(len(self), -np.inf, np.float32)
        rows = np.flatnonzero(chosen)
        if len(rows) < FEW * len(self):
            found[rows] = self.vectors[rows] @ vector
        else:
            np.copyto(found, self.vectors @ vector, where=chosen)
        return found

    def holding(self, word: int) -> tuple[Longs, NDArray[np.float64]]:
        """The living rows that hold a word, and how often."""
        first, last = np.uint64(word << 32), np.uint64(word << 32 | 0xFFFFFFFF)
        slice_ = self.postings[np.searchsorted(self.postings, first) : np.searchsorted(self.postings, last, "right")]
        rows = ((slice_ >> _EIGHT) & _ROWS).astype(np.int64)
        alive = self.alive[rows]
        return rows[alive], (slice_ & _TIMES).astype(np.float64)[alive]

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self.ids, self.documents, self.vectors, self.has_vector, self.lengths, self.postings, self.alive


def read(rows: Sequence[Row], dimensions: int) -> Part:
    """A part of rows as they come from the database: key, number of the document, vector, bag of words."""
    empty = b"\0" * (4 * dimensions)
    vectors = b"".join([empty if vector is None or len(vector) != len(empty) else vector for _, _, vector, _ in rows])
    bags = [bag or b"" for _, _, _, bag in rows]
    sizes = np.fromiter((len(bag) // bm25.RECORD_BYTES for bag in bags), np.int64, len(rows))
    records = np.frombuffer(b"".join(bags), _RECORD)
    numbers = np.repeat(np.arange(len(rows), dtype=np.uint64), sizes)
    times = records["times"].astype(np.uint64)
    postings = (records["word"].astype(np.uint64) << np.uint64(32)) | (numbers << _EIGHT) | times
    postings.sort()
    return Part(
        ids=np.fromiter((row[0] for row in rows), np.int64, len(rows)),
        documents=np.fromiter((row[1] for row in rows), np.int32, len(rows)),
        vectors=np.frombuffer(vectors, "<f4").reshape(len(rows), dimensions),
        has_vector=np.fromiter((row[2] is not None for row in rows), np.bool_, len(rows)),
        lengths=np.bincount(numbers.astype(np.int64), times, len(rows)).astype(np.uint32),
        postings=postings,
        alive=np.ones(len(rows), np.bool_),
    )


def joined(parts: Sequence[Part]) -> Part:
    """One part of several that follow each other, without what is dead."""
    postings, total = [], 0
    for part in parts:
        rows = (part.postings >> _EIGHT) & _ROWS
        places = (np.cumsum(part.alive) - 1 + total).astype(np.uint64)
        moved = (part.postings & ~(_ROWS << _EIGHT)) | (places[rows.astype(np.int64)] << _EIGHT)
        postings.append(moved[part.alive[rows.astype(np.int64)]])
        total += int(np.count_nonzero(part.alive))
    found = np.concatenate(postings)
    found.sort()

    def kept(take: Callable[[Part], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([take(part)[part.alive] for part in parts])

    return Part(
        ids=kept(lambda part: part.ids),
        documents=kept(lambda part: part.documents),
        vectors=kept(lambda part: part.vectors),
        has_vector=kept(lambda part: part.has_vector),
        lengths=kept(lambda part: part.lengths),
        postings=found,
        alive=np.ones(total, np.bool_),
    )


def with_part(parts: Sequence[Part], new: Part) -> tuple[Part, ...]:
    """``parts`` and a new one, joined while neighbours are of like size: a logarithm of parts, each row moved as often."""
    found, taken = list(parts), [new]
    size = len(new)
    while found and len(found[-1]) < 2 * size and len(found[-1]) + size <= MOST_ROWS:
        taken.insert(0, found.pop())
        size += len(taken[0])
    return (*found, mapped(joined(taken) if len(taken) > 1 else new))


def mapped(part: Part) -> Part:
    """The part with its large arrays in files."""
    return replace(part, vectors=_mapped(part.vectors), postings=_mapped(part.postings))


def statistics(parts: Iterable[Part]) -> tuple[int, float]:
    """Living entries with words, and how many words they have on average."""
    counted = [part.worded for part in parts]
    total, length = sum(rows for rows, _ in counted), sum(words for _, words in counted)
    return total, length / total if total else 0.0


def by_words(parts: Sequence[Part], words: Sequence[int], total: int, length: float) -> list[NDArray[np.float64]]:
    """The BM25 score of every row of every part."""
    scores = [np.zeros(len(part)) for part in parts]
    flats = [bm25.K1 * (1 - bm25.B + bm25.B * part.lengths / length) if length else part.lengths * 0.0 for part in parts]
    for word in words:
        places: list[tuple[Longs, NDArray[np.float64]]] = [part.holding(word) for part in parts]
        rarity = bm25.rarity(total, sum(len(rows) for rows, _ in places))
        for score, flat, (rows, times) in zip(scores, flats, places, strict=True):
            score[rows] += rarity * times * (bm25.K1 + 1) / (times + flat[rows])
    return scores


def best(part: Part, scores: NDArray[Any], most: int, above: float) -> Mapping[int, float]:
    """Keys and scores of the ``most`` best rows that are better than ``above``, and of those that are as good as the last."""
    rows = np.flatnonzero(scores > above)
    if len(rows) > most:
        least = np.partition(scores[rows], len(rows) - most)[len(rows) - most]
        rows = rows[scores[rows] >= least - 1e-6][: most + MOST_EQUAL]
    return dict(zip(part.ids[rows].tolist(), scores[rows].tolist(), strict=True))


def _mapped(array: NDArray[Any]) -> NDArray[Any]:
    if array.nbytes < MAPPED_BYTES or isinstance(array, np.memmap):
        return array
    folder = Path(settings.DIFYPROJ_VAR) / "indexes"
    folder.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        array.tofile(file)
        return np.memmap(file, array.dtype, "r", shape=array.shape)
