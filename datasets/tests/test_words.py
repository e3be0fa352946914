"""Words of texts in many scripts, as indexes hold them."""

from __future__ import annotations

import time

import pytest

from datasets.rag.words import keywords, tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello, World's snake_case v2", ["hello", "world", "s", "snake", "case", "v2"]),
        ("发票号 INV-7。猫!", ["发票", "票号", "inv", "7", "猫"]),
        ("カタカナ・ペン の", ["カタ", "タカ", "カナ", "ペン", "の"]),
        ("ｶﾀ \uff21\uff22\uff23 ﬁne cafe\u0301", ["カタ", "abc", "fine", "café"]),
        ("한국어 문서", ["한국", "국어", "문서"]),
        ("हिन्दी Straße Ёлка", ["हिन्दी", "straße", "ёлка"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
        ("", []),
        ("…—🙂", []),
    ],
)
def test_words_are_found_in_every_script(text: str, found: list[str]) -> None:
    assert tokens(text) == found


def test_a_word_of_two_characters_is_found_wherever_it_stands() -> None:
    assert set(tokens("发票")) <= set(tokens("请把电子发票发给财务部"))
    assert set(tokens("請求書")) <= set(tokens("新しい請求書を送ります"))


def test_keywords_are_the_frequent_words_that_tell_something() -> None:
    text = "The invoice is due. An invoice of the supplier is the invoice that we pay; the supplier waits 30 days."
    assert keywords(text, 2) == ["invoice", "supplier"]
    assert keywords("发票是发票,不是合同")[0] == "发票"
    assert keywords("the of 12 3") == []


def test_words_cost_little() -> None:
    text = "发票的抬头可以修改。Invoices can be changed. " * 20_000
    began = time.process_time()
    assert len(tokens(text)) == 20_000 * 12
    assert time.process_time() - began < 2
