"""Embeddings of this process: the same everywhere, and near where texts are alike."""

from __future__ import annotations

import asyncio
import math
from typing import Any, cast

import pytest

from difyproj.kernel.errors import ModelNotSupported
from difyproj.model_runtime import catalogue
from difyproj.model_runtime.local import hashing, minilm
from difyproj.model_runtime.providers.builtin import HASHING, MINILM, BuiltinProvider, best


def likeness(one: str, other: str) -> float:
    return math.fsum(a * b for a, b in zip(hashing.vector(one), hashing.vector(other), strict=True))


def test_vectors_have_length_one_and_the_same_text_has_the_same() -> None:
    made = hashing.vector("Invoices are paid within thirty days.")
    assert len(made) == hashing.DIMENSIONS
    assert math.isclose(math.fsum(value * value for value in made), 1.0)
    assert made == hashing.vector("Invoices are paid within thirty days.")
    # Written down once: another machine, another year, the same vector.
    assert [(at, round(value, 4)) for at, value in enumerate(hashing.vector("invoice")) if value] == KNOWN


KNOWN = [(77, -0.2657), (85, -0.2657), (90, -0.2657), (134, 0.2657), (266, 0.2657), (293, 0.2657), (313, -0.7592)]


@pytest.mark.parametrize("text", ["", "  \n", "…!?"])
def test_a_text_without_a_word_has_a_vector_too(text: str) -> None:
    assert hashing.vector(text)[0] == 1.0


@pytest.mark.parametrize(
    ("question", "near", "far"),
    [
        ("How do I pay an invoice?", "Paying invoices: choose the invoice and press pay.", "The office is closed on Sundays."),
        ("发票怎么开", "开发票需要填写税号。", "星期天不营业。"),
        ("configuraton of databases", "Database configuration", "A recipe for soup"),
    ],
)
def test_alike_texts_are_nearer_than_others(question: str, near: str, far: str) -> None:
    assert likeness(question, near) > likeness(question, far) + 0.1


def test_the_provider_embeds_every_text_in_order_and_refuses_another_model() -> None:
    provider = BuiltinProvider({}, cast(Any, None))
    texts = [f"text number {number}" for number in range(40)]
    made = asyncio.run(provider.embed(HASHING, texts))
    assert list(made.vectors) == [hashing.vector(text) for text in texts]
    assert made.usage.prompt_tokens > 0
    with pytest.raises(ModelNotSupported):
        asyncio.run(provider.embed("another", texts))


def test_a_long_text_is_cut_into_windows_of_like_length_that_hold_every_token_once() -> None:
    tokens = list(range(1000, 1600))
    windows = list(minilm.windows(tokens))
    assert [token for window in windows for token in window[1:-1]] == tokens
    assert {len(window) for window in windows} == {202} and all(len(window) <= minilm.WINDOW for window in windows)
    assert list(minilm.windows([])) == [[101, 102]]


def test_a_model_that_is_not_installed_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "is_installed", lambda: False)
    assert [facts.model for facts in catalogue.models("builtin")] == [HASHING]
    assert best() == HASHING
    monkeypatch.setattr(minilm, "is_installed", lambda: True)
    assert [facts.model for facts in catalogue.models("builtin")] == [HASHING, MINILM]
    assert best() == MINILM


@pytest.mark.skipif(not minilm.is_installed(), reason="offline embeddings are not installed (script/install-embeddings)")
def test_the_installed_model_knows_meaning_where_no_word_is_shared() -> None:
    question, near, far = minilm.vectors(["How can I get my money back?", "Refund policy", "Opening hours on Sunday"])
    assert math.fsum(a * b for a, b in zip(question, near, strict=True)) > 0.45
    assert math.fsum(a * b for a, b in zip(question, far, strict=True)) < 0.25
