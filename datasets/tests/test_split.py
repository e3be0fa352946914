# ruff: noqa: RUF001  the wide punctuation is meant
"""Passages: how long they are, where they begin and end, and what they are told with."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from datasets.rag.extract.base import Line, Page, text_of
from datasets.rag.split import AUTOMATIC_RULES, Piece, Rule, Segmentation, clean, piece, split
from difyproj.kernel.errors import InvalidParam
from difyproj.model_runtime.tokens import estimate

PLAIN = "The first sentence is short. The second one, which goes on, is longer. " * 40
CHINESE = "这是第一句话。第二句话比较长，因为它一直说下去；没有空格。" * 60
ONE_LINE = "x" * 20_000
MIXED = "\n\n".join(f"Paragraph {at}. It says something, and then a bit more.\nA second line of it." for at in range(60))


def rule(mode: str = "custom", **rules: Any) -> Rule:
    return Rule.parse({"mode": mode, "rules": {"segmentation": {"separator": "\n\n", "max_tokens": 100}, **rules}})


def pieces(text: str | Iterable[Page], how: Rule | None = None, form: str = "text_model", **options: Any) -> list[Piece]:
    pages = [Page(0, text)] if isinstance(text, str) else list(text)
    return list(split(pages, how or Rule(), form, **options))


# Rules


def test_no_rule_is_the_automatic_one() -> None:
    assert Rule.parse(None) == Rule.parse({"mode": "automatic"}) == Rule()
    assert Rule().segmentation.max_tokens == AUTOMATIC_RULES["segmentation"]["max_tokens"] == 500
    assert Rule().cleaners == {"remove_extra_spaces"}


def test_a_rule_says_all_that_the_contract_knows() -> None:
    found = Rule.parse(
        {
            "mode": "hierarchical",
            "rules": {
                "pre_processing_rules": [
                    {"id": "remove_extra_spaces", "enabled": False},
                    {"id": "remove_urls_emails", "enabled": True},
                ],
                "segmentation": {"separator": "\\n\\n", "max_tokens": 1024, "chunk_overlap": 20},
                "parent_mode": "paragraph",
                "subchunk_segmentation": {"separator": "\n", "max_tokens": 200},
            },
        }
    )
    assert found == Rule(
        "hierarchical",
        frozenset({"remove_urls_emails"}),
        Segmentation("\n\n", 1024, 20),
        "paragraph",
        Segmentation("\n", 200, 0),
    )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ([], "process_rule"),
        ({}, "process_rule.mode"),
        ({"mode": "other"}, "process_rule.mode"),
        ({"mode": "custom"}, "process_rule.rules"),
        ({"mode": "custom", "rules": {}}, "process_rule.rules.segmentation"),
        ({"mode": "custom", "rules": {"segmentation": {}}}, "process_rule.rules.segmentation.max_tokens"),
        ({"mode": "custom", "rules": {"segmentation": {"max_tokens": True}}}, "process_rule.rules.segmentation.max_tokens"),
        ({"mode": "custom", "rules": {"segmentation": {"max_tokens": 4001}}}, "process_rule.rules.segmentation.max_tokens"),
        (
            {"mode": "custom", "rules": {"segmentation": {"max_tokens": 50, "chunk_overlap": 51}}},
            "process_rule.rules.segmentation.chunk_overlap",
        ),
        (
            {"mode": "custom", "rules": {"segmentation": {"max_tokens": 50, "separator": 5}}},
            "process_rule.rules.segmentation.separator",
        ),
        (
            {"mode": "custom", "rules": {"segmentation": {"max_tokens": 50}, "pre_processing_rules": [{"id": "x"}]}},
            "process_rule.rules.pre_processing_rules[0].id",
        ),
        ({"mode": "hierarchical", "rules": {"parent_mode": "half"}}, "process_rule.rules.parent_mode"),
        (
            {"mode": "hierarchical", "rules": {"parent_mode": "full-doc", "subchunk_segmentation": {"max_tokens": 0}}},
            "process_rule.rules.subchunk_segmentation.max_tokens",
        ),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(given: Any, field: str) -> None:
    with pytest.raises(InvalidParam) as refusal:
        Rule.parse(given)
    assert refusal.value.params == field


# Cleaning


@pytest.mark.parametrize(
    ("cleaners", "text", "cleaned"),
    [
        ([], "a\0b\ufffe \n\n\n\n c", "ab \n\n\n\n c"),
        (["remove_extra_spaces"], "a \t b\n\n\n\nc\u3000\u3000d", "a b\n\nc d"),
        (
            ["remove_urls_emails"],
            "see https://a.example/x?y (or ann@example.com), [a link](https://b.example/z)",
            "see  (or ), [a link](https://b.example/z)",
        ),
        (["remove_stopwords"], "The cat is on a mat", "cat mat"),
    ],
)
def test_text_is_cleaned_as_the_rule_says(cleaners: list[str], text: str, cleaned: str) -> None:
    how = rule(pre_processing_rules=[{"id": name, "enabled": True} for name in cleaners])
    assert text_of(clean([Page(0, text)], how)) == cleaned


def test_rows_keep_their_places_when_text_is_cleaned() -> None:
    text = "first   row\n\n\n\nsecond row\0 and more"
    lines = (Line(0, 11, 0, 0, 1, 0.1), Line(15, len(text), 0, 0.2, 1, 0.3))
    (page,) = clean([Page(1, text, lines=lines)], Rule())
    assert [page.text[line.start : line.end] for line in page.lines] == ["first row", "second row and more"]


def test_pages_without_text_are_left_out() -> None:
    assert list(clean([Page(1, " \n"), Page(2, "\0")], Rule())) == []


@pytest.mark.parametrize(
    "text", ["a" * 500_000, "@" * 500_000, "[" * 300_000, "https://" * 60_000, " \n" * 300_000, "a@b." * 100_000]
)
def test_cleaning_ends_soon(text: str) -> None:
    how = rule(pre_processing_rules=[{"id": name, "enabled": True} for name in ("remove_urls_emails", "remove_extra_spaces")])
    began = time.process_time()
    list(clean([Page(0, text)], how))
    assert time.process_time() - began < 3


# General


@pytest.mark.parametrize("text", [PLAIN, CHINESE, ONE_LINE, MIXED, "short"])
@pytest.mark.parametrize("overlap", [0, 20])
@pytest.mark.parametrize("separator", ["", "\n\n", "."])
def test_passages_are_no_longer_than_they_may_be_and_nothing_is_lost(text: str, overlap: int, separator: str) -> None:
    how = Rule("custom", frozenset(), Segmentation(separator, 60, overlap))
    found = pieces(text, how)
    assert all(estimate(one.content) <= 60 for one in found)
    assert all(text[one.start : one.end] == one.content for one in found)
    covered = bytearray(len(text))
    for one in found:
        covered[one.start : one.end] = b"\1" * (one.end - one.start)
    lost = {text[at] for at, is_covered in enumerate(covered) if not is_covered}
    assert lost <= set(" \n" + separator)


def test_the_separator_parts_however_short_the_parts_are() -> None:
    assert [one.content for one in pieces("a\n\nb\n\n\n\nc", rule())] == ["a", "b", "c"]


def test_without_a_separator_parts_are_put_together() -> None:
    assert [one.content for one in pieces("a\n\nb\n\nc")] == ["a\n\nb\n\nc"]


def test_passages_begin_with_the_last_sentence_of_the_one_before() -> None:
    first, second, *_ = pieces(PLAIN, Rule("automatic", frozenset(), Segmentation("", 60, 25)))
    assert second.start < first.end and second.content.startswith(("The first", "The second"))


@pytest.mark.parametrize("text", [PLAIN, CHINESE])
def test_sentences_stay_whole(text: str) -> None:
    assert all(one.content[-1] in ".。;；" for one in pieces(text, Rule("automatic", frozenset(), Segmentation("", 60, 0))))


def test_a_counter_can_be_given() -> None:
    found = pieces(
        "one two three four five six", rule(segmentation={"max_tokens": 50}), count=lambda text: 25 * len(text.split())
    )
    assert [one.content for one in found] == ["one two", "three four", "five six"]


def test_a_large_document_is_parted_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piece, "WINDOW", 2000)
    read: list[int] = []

    def pages() -> Iterable[Page]:
        for at in range(100):
            read.append(at)
            yield Page(at + 1, f"Page {at + 1} has a sentence. " * 20)

    found = split(pages(), Rule())
    assert next(found).page == 1 and len(read) < 12
    rest = list(found)
    text = text_of(Page(at + 1, f"Page {at + 1} has a sentence. " * 20) for at in range(100))
    assert all(text[one.start : one.end] == one.content for one in rest)
    assert all(f"Page {one.page} " in one.content for one in rest) and rest[-1].end == len(text.rstrip())


def test_a_passage_knows_its_page_and_its_rows() -> None:
    lines = (Line(0, 9, 0.1, 0.1, 0.9, 0.2), Line(10, 20, 0.1, 0.3, 0.9, 0.4))
    given = [Page(1, "first row\nsecond row", lines=lines), Page(2, "third row", lines=(Line(0, 9, 0, 0.5, 1, 0.6),))]
    first, second = pieces(given)
    assert (first.page, len(first.boxes), second.page, second.boxes) == (1, 2, 2, ((2, 0, 0.5, 1, 0.6),))
    by_rows = pieces(given, rule(segmentation={"separator": "\n", "max_tokens": 50}))
    assert [(one.page, one.boxes) for one in by_rows] == [
        (1, ((1, 0.1, 0.1, 0.9, 0.2),)), (1, ((1, 0.1, 0.3, 0.9, 0.4),)), (2, ((2, 0, 0.5, 1, 0.6),)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [PLAIN * 350, CHINESE * 580, "x" * 1_000_000, "short line\n" * 90_000, "." * 1_000_000, "|" * 1_000_000, "#\n" * 500_000],
)
@pytest.mark.parametrize("form", ["text_model", "hierarchical_model"])
def test_a_megabyte_is_parted_soon(text: str, form: str) -> None:
    began = time.process_time()
    assert pieces([Page(0, text, is_markdown=True)], form=form)
    assert time.process_time() - began < 4


# Markdown

GUIDE = f"""# Guide

Intro.

## Install

{"Do this and that. " * 60}

### On Linux

Run it.

```sh
# no heading
```

## Prices

| Item | Price |
| --- | --- |
{"| a thing | 5 |" + chr(10)}{"| another thing | 7 |{chr(10)}".replace("{chr(10)}", chr(10)) * 80}"""


def told(text: str, most: int = 200) -> list[Piece]:
    return pieces([Page(0, text, is_markdown=True)], Rule("automatic", frozenset(), Segmentation("", most, 0)))


def test_sections_are_passages_that_know_the_headings_above_them() -> None:
    found = told(GUIDE)
    assert found[1].content.startswith("Guide\n\n## Install\n\nDo this")
    assert found[2].content.startswith("Guide > Install\n\nDo this")
    linux = next(one for one in found if "Run it." in one.content)
    assert linux.content == "Guide > Install\n\n### On Linux\n\nRun it.\n\n```sh\n# no heading\n```"
    assert GUIDE[linux.start : linux.end].startswith("### On Linux")
    assert all(estimate(one.content) <= 200 for one in found)


def test_a_part_of_a_table_is_told_its_head() -> None:
    tables = [one for one in told(GUIDE) if "another thing" in one.content]
    assert len(tables) > 2 and all("| Item | Price |\n| --- | --- |\n| a" in one.content for one in tables)


def test_a_heading_without_a_text_is_no_passage() -> None:
    first, second, *_ = told("# Guide\n\n## Install\n\n" + "Do this and that. " * 60)
    assert first.content.startswith("# Guide\n\n## Install\n\nDo this")
    assert second.content.startswith("Guide > Install\n\nDo this")


def test_small_sections_are_told_together() -> None:
    (found,) = told("# A\n\none\n\n# B\n\ntwo")
    assert found.content == "# A\n\none\n\n# B\n\ntwo"


def test_the_authors_separator_counts_more_than_headings() -> None:
    given = [Page(0, "# A\n\none", is_markdown=True)]
    assert [one.content for one in pieces(given, rule())] == ["# A", "one"]


# Parent and child


def test_parents_have_children_that_are_parts_of_them() -> None:
    how = rule("hierarchical", subchunk_segmentation={"separator": "\n", "max_tokens": 50})
    found = pieces(MIXED, how, "hierarchical_model")
    assert len(found) == 60
    assert found[0].children == ("Paragraph 0. It says something, and then a bit more.", "A second line of it.")


def test_a_whole_document_is_one_parent_unless_it_is_very_long() -> None:
    how = rule("hierarchical", parent_mode="full-doc", subchunk_segmentation={"separator": "", "max_tokens": 50})
    (found,) = pieces(MIXED, how, "hierarchical_model")
    assert found.content == MIXED and len(found.children) > 10
    assert all(estimate(child) <= 50 and child in MIXED for child in found.children)
    assert len(pieces(MIXED * 20, how, "hierarchical_model")) > 1


# Questions and answers


@pytest.mark.parametrize(
    "text",
    [
        "Q: Who?\nA: Me.\n\nQ2: Where?\nA2: Here,\nand there.",
        "**Q:** Who?\n**A:** Me.\n**Q:** Where?\n**A:** Here,\nand there.",
        "| question | answer |\n| --- | --- |\n| Who? | Me. |\n| Where? | Here,<br>and there. |",
        "| id | Answer | Question |\n| --- | --- | --- |\n| 1 | Me. | Who? |\n| 2 | Here,<br>and there. | Where? |",
        "问：Who?\n答：Me.\n问：Where?\n答：Here,\nand there.",
    ],
)
def test_questions_and_answers_are_found(text: str) -> None:
    found = pieces(text, form="qa_model")
    assert [(one.content, one.answer) for one in found] == [("Who?", "Me."), ("Where?", "Here,\nand there.")]
    assert "Who?" in text[found[0].start : found[0].end] and "Where?" in text[found[1].start : found[1].end]


def test_where_there_are_none_somebody_is_asked() -> None:
    asked: list[str] = []

    def ask(passage: str) -> list[tuple[str, str]]:
        asked.append(passage)
        return [("What?", passage[:5]), ("", "nothing")]

    found = pieces(PLAIN, form="qa_model", ask=ask)
    assert len(asked) == len(found) == 2 and found[1].answer == asked[1][:5]
    with pytest.raises(InvalidParam):
        pieces(PLAIN, form="qa_model")


def test_a_form_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidParam) as refusal:
        pieces("x", form="other")
    assert refusal.value.params == "doc_form"


def test_rules_of_any_mapping_are_read() -> None:
    given: Mapping[str, Any] = {"mode": "custom", "rules": {"segmentation": {"max_tokens": 50, "separator": None}}}
    assert Rule.parse(given).segmentation.separator == "\n"
