"""How well passages are found: headings of real documentation as questions, the sections under them as answers.

`.venv/bin/python -m bench.retrieval_quality` takes Python's own documentation (pydoc's topics) and the descriptions of the
installed packages, so that it needs nothing from outside. A question counts as answered where its own section stands: recall at
1, 5 and 10, mean reciprocal rank, nDCG at 10. Words alone, meaning alone, and both by weights; with the built-in hashing model
and, where script/install-embeddings was run, all-MiniLM-L6-v2.
"""

from __future__ import annotations

import math
import re
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pydoc_data import topics
from typing import Final
from uuid import UUID

from datasets.rag.search import Weights, gathered, weigh
from datasets.rag.stores import Entry, Index
from datasets.rag.words import STOP_WORDS, tokens
from datasets.stores.memory import MemoryStore
from difyproj.model_runtime.local import hashing, minilm

FEWEST: Final = 300
SHORTEST, LONGEST = 200, 1_500
UNDERLINE: Final = re.compile(r"[=*~^\"-]{3,}")
HEADING: Final = re.compile(r"#{1,5}\s+(\S.*)")
MARKUP: Final = re.compile(r"[`*\[\]\"]|\(http[^)]*\)|:[a-z]+:")
VERSION: Final = re.compile(r"\d+\.\d+|\b20\d\d\b|^v?\d")
DEPTH: Final = 10_000
HERE: Final = UUID(int=1)
WEIGHTS: Final = (0.3, 0.5, 0.7)

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]


@dataclass(frozen=True, slots=True)
class Graded:
    question: str
    answer: str


def graded() -> list[Graded]:
    """The same on every machine with the same packages: headings of at least two telling words, each section once."""
    found = [section for topic in sorted(topics.topics) for section in _underlined(topics.topics[topic])]
    for name in sorted({one.metadata["Name"] for one in metadata.distributions()}, key=str.lower):
        found += _marked(str(metadata.metadata(name).get_payload() or ""))
    made: dict[str, Graded] = {}
    answers: set[str] = set()
    for heading, text in found:
        question = MARKUP.sub("", heading).strip()
        telling = [word for word in tokens(question) if word not in STOP_WORDS]
        if not 2 <= len(telling) <= 12 or len(text) < SHORTEST or VERSION.search(question):
            continue
        if text not in answers and question.lower() not in made:
            answers.add(text)
            made[question.lower()] = Graded(question, text[:LONGEST])
    return list(made.values())


def _underlined(text: str) -> Iterator[tuple[str, str]]:
    lines = text.split("\n")
    heads = [at for at in range(len(lines) - 1) if lines[at].strip() and UNDERLINE.fullmatch(lines[at + 1])]
    for at, end in zip(heads, [*heads[1:], len(lines)], strict=True):
        yield lines[at].strip(), "\n".join(lines[at + 2 : end]).strip()


def _marked(text: str) -> Iterator[tuple[str, str]]:
    heading, held, is_code = "", list[str](), False
    for line in [*text.split("\n"), "# end"]:
        is_code ^= line.lstrip().startswith("```")
        head = None if is_code else HEADING.match(line)
        if head is None:
            held.append(line)
            continue
        if heading:
            yield heading, "\n".join(held).strip()
        heading, held = head[1].strip(" #"), []


def measure(name: str, ranks: Sequence[int]) -> None:
    count = len(ranks)
    recall = [sum(rank <= most for rank in ranks) / count for most in (1, 5, 10)]
    reciprocal = sum(1 / rank for rank in ranks) / count
    gain = sum(1 / math.log2(rank + 1) for rank in ranks if rank <= 10) / count
    print(f"{name:34}" + "".join(f"{figure:9.3f}" for figure in (*recall, reciprocal, gain)), flush=True)


def ranks_of(store: MemoryStore, index: Index, rows: Sequence[Graded], vectors: Sequence[bytes], weights: Weights) -> list[int]:
    """At which place each question's own section stands; last where it is not found at all."""
    found = []
    for at, row in enumerate(rows):
        semantic = store.nearest(index, vectors[at], top_k=DEPTH) if weights.semantic else ()
        by_words = store.matching(index, row.question, top_k=DEPTH) if weights.words else ()
        candidates = gathered(HERE, semantic, by_words)
        weigh(candidates, weights)
        own = next((one.score for one in candidates if one.node_id.int == at + 1), 0.0)
        found.append(1 + sum(one.score > own for one in candidates) if own else len(rows))
    return found


def compare(name: str, embed: Embed, rows: Sequence[Graded]) -> None:
    began = time.process_time()
    answers = [_packed(one) for one in embed([row.answer for row in rows])]
    took = time.process_time() - began
    questions = [_packed(one) for one in embed([row.question for row in rows])]
    store, index = MemoryStore(), Index(HERE, HERE, 1, len(answers[0]) // 4)
    keys = [UUID(int=at + 1) for at in range(len(rows))]
    store.put(index, [Entry(key, key, HERE, row.answer, one) for key, row, one in zip(keys, rows, answers, strict=True)])
    print(f"{name}: {took / len(rows) * 1000:.1f} s of CPU for 1 000 sections")
    for label, weights in (
        ("words alone", Weights(0.0, 1.0)),
        ("meaning alone", Weights(1.0, 0.0)),
        *((f"both, meaning {weight}", Weights(weight, round(1 - weight, 2))) for weight in WEIGHTS),
    ):
        measure(f"  {label}", ranks_of(store, index, rows, questions, weights))


def _packed(vector: Sequence[float]) -> bytes:
    return array("f", vector).tobytes()


def main() -> None:
    rows = graded()
    lengths = Counter("long" if len(row.answer) == LONGEST else "whole" for row in rows)
    print(f"{len(rows)} questions (at least {FEWEST}); {lengths['long']} sections cut at {LONGEST} characters")
    if len(rows) < FEWEST:
        raise SystemExit("Too few questions: install requirements-dev.lock.")
    print(f"{'':34}" + "".join(f"{word:>9}" for word in ("r@1", "r@5", "r@10", "MRR", "nDCG@10")))
    compare("hashing-384", lambda texts: [hashing.vector(text) for text in texts], rows)
    if minilm.is_installed():
        compare("all-minilm-l6-v2", minilm.vectors, rows)
    else:
        print("all-minilm-l6-v2: not installed (script/install-embeddings)")


if __name__ == "__main__":
    main()
