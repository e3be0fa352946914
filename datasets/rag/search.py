"""From what stores find to what is given back: fusion by weights, one scale for several datasets, entries by segment.

All scores are from 0 to 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from . import words
from .bm25 import K1, B
from .bm25 import rarity as rarity_of
from .stores import Found

DEPTH: Final = 4
"""How many times ``top_k`` is looked for by each way, so that what the other way found is among it."""
SHALLOWEST: Final = 40


@dataclass(frozen=True, slots=True)
class Weights:
    semantic: float = 0.7
    words: float = 0.3

    def told(self) -> dict[str, float]:
        return {"semantic": self.semantic, "words": self.words}


@dataclass(slots=True)
class Candidate:
    """One entry that was found, by its meaning, its words or both; ``score`` is what it is worth so far."""

    dataset_id: UUID
    node_id: UUID
    segment_id: UUID
    document_id: UUID
    semantic: float | None = None
    semantic_rank: int | None = None
    words: float | None = None
    words_rank: int | None = None
    score: float = 0.0

    def why(self) -> dict[str, Any]:
        """Ranks and scores of every step that it went through."""
        steps = {
            "semantic": self.semantic, "semantic_rank": self.semantic_rank, "words": self.words,
            "words_rank": self.words_rank,
        }  # fmt: skip
        told = {name: rounded(value) for name, value in steps.items() if value is not None}
        return {**told, "score": rounded(self.score)}


@dataclass(slots=True)
class Group:
    """A segment with the entries of it that were found, best first. Its score is the best one's."""

    segment_id: UUID
    candidates: list[Candidate] = field(default_factory=list)

    @property
    def best(self) -> Candidate:
        return self.candidates[0]

    @property
    def score(self) -> float:
        return self.best.score


def rounded(value: float) -> float:
    return round(value, 6)


def depth(top_k: int) -> int:
    return max(top_k * DEPTH, SHALLOWEST)


def gathered(dataset_id: UUID, semantic: Sequence[Found] = (), by_words: Sequence[Found] = ()) -> list[Candidate]:
    """What both ways found, each entry once; scored by whichever way found it."""
    found: dict[UUID, Candidate] = {}
    for rank, one in enumerate(semantic, 1):
        made = Candidate(dataset_id, one.node_id, one.segment_id, one.document_id, one.score, rank, score=one.score)
        found[one.node_id] = made
    for rank, one in enumerate(by_words, 1):
        known = found.get(one.node_id)
        if known is None:
            known = Candidate(dataset_id, one.node_id, one.segment_id, one.document_id, score=one.score)
            found[one.node_id] = known
        known.words, known.words_rank = one.score, rank
    return list(found.values())


def weigh(candidates: Iterable[Candidate], weights: Weights) -> None:
    """The score becomes the weighted sum of both ways; what a way did not find is nothing to it."""
    whole = weights.semantic + weights.words or 1.0
    for one in candidates:
        one.score = ((one.semantic or 0.0) * weights.semantic + (one.words or 0.0) * weights.words) / whole


def compare_words(candidates: Sequence[Candidate], query: str, texts: Mapping[UUID, str]) -> None:
    """One scale for the words of several datasets: BM25 over all that was found, by node, divided by the best one's."""
    scores = bm25(query, [texts.get(one.node_id, "") for one in candidates])
    best = max(scores, default=0.0) or 1.0
    for one, score in zip(candidates, scores, strict=True):
        one.words = score / best
    ranked = sorted((one for one in candidates if one.words), key=lambda one: -(one.words or 0.0))
    for one in candidates:
        one.words_rank = None
    for rank, one in enumerate(ranked, 1):
        one.words_rank = rank


def bm25(query: str, texts: Sequence[str]) -> list[float]:
    """How well each of the texts answers to the query's words, among these texts."""
    said = set(words.tokens(query))
    wanted = said - words.STOP_WORDS or said
    counted = [Counter(words.tokens(text)) for text in texts]
    lengths = [sum(one.values()) for one in counted]
    mean = sum(lengths) / len(lengths) if lengths else 0.0
    rarity = {}
    for word in wanted:
        holding = sum(word in one for one in counted)
        if holding:
            rarity[word] = rarity_of(len(texts), holding)
    return [_bm25(rarity, one, length / (mean or 1.0)) for one, length in zip(counted, lengths, strict=True)]


def _bm25(rarity: Mapping[str, float], counted: Mapping[str, int], length: float) -> float:
    brake = K1 * (1 - B + B * length)
    return sum(weight * counted[word] * (K1 + 1) / (counted[word] + brake) for word, weight in rarity.items() if counted[word])


def grouped(candidates: Iterable[Candidate]) -> list[Group]:
    """By segment, the best first; what scores the same keeps an order of its own."""
    groups: dict[UUID, Group] = {}
    for one in sorted(candidates, key=lambda one: (-one.score, one.node_id.int)):
        groups.setdefault(one.segment_id, Group(one.segment_id)).candidates.append(one)
    return list(groups.values())
