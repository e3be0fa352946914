"""The same vectors, texts and questions for every store: 800 clusters, words as often as in a language."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

DIMENSIONS, LATENT, CLUSTERS = 384, 48, 800
WORDS, VOCABULARY = 120, 40_000
QUESTIONS = 200


@dataclass(frozen=True)
class Data:
    vectors: np.ndarray
    texts: list[str]
    asked: np.ndarray
    questions: list[str]
    right: list[set[int]]


def data(rows: int) -> Data:
    chance = np.random.default_rng(7)
    centres, out = chance.normal(size=(CLUSTERS, LATENT)), chance.normal(size=(LATENT, DIMENSIONS))

    def directions(count: int) -> np.ndarray:
        inner = centres[chance.integers(0, CLUSTERS, count)] + 0.5 * chance.normal(size=(count, LATENT))
        found = (inner @ out + 0.3 * chance.normal(size=(count, DIMENSIONS))).astype(np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    weights = 1 / (np.arange(VOCABULARY) + 2.7)
    numbers = chance.choice(VOCABULARY, size=(rows, WORDS), p=weights / weights.sum())
    words = [f"w{number:x}" for number in range(VOCABULARY)]
    vectors, asked = directions(rows), directions(QUESTIONS)
    nearest = np.argsort(-(asked @ vectors.T), axis=1, kind="stable")[:, :10]
    taken = chance.integers(0, rows, QUESTIONS)
    questions = [" ".join(words[number] for number in numbers[row][chance.integers(0, WORDS, 5)]) for row in taken]
    return Data(
        vectors, [" ".join(words[number] for number in row) for row in numbers], asked, questions,
        [set(row.tolist()) for row in nearest],
    )  # fmt: skip


def timed(name: str, ask: Callable[[int], object], questions: Iterable[int] = range(QUESTIONS)) -> None:
    """Prints the percentiles of single questions in milliseconds."""
    taken, cpu = [], time.process_time()
    for number in questions:
        began = time.perf_counter()
        ask(number)
        taken.append((time.perf_counter() - began) * 1000)
    cpu = (time.process_time() - cpu) / len(taken) * 1000
    taken.sort()
    p50, p95 = taken[len(taken) // 2], taken[int(len(taken) * 0.95)]
    print(f"    {name:<34}p50 {p50:7.1f} ms   p95 {p95:7.1f} ms   CPU {cpu:7.1f} ms", flush=True)
