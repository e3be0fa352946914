"""Titles and suggestions are asked for in words, and read leniently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.modes.questions import parse_suggestions, parse_title, suggestion_prompt, title_prompt
from workflows.engine.node import HistoryTurn


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("Weather in Rome", "Weather in Rome"),
        ('"Weather in Rome"\n', "Weather in Rome"),
        ("**Weather in Rome**", "Weather in Rome"),
        ("<think>hm</think>\n\nWeather in Rome\nmore", "Weather in Rome"),
        ('```json\n{"title": "Weather in Rome"}\n```', "Weather in Rome"),
        ("\u300a罗马天气\u300b", "罗马天气"),
        ("", "What is the weather in Rome?"),
        ("<think>never ends", "What is the weather in Rome?"),
        ("{}", "What is the weather in Rome?"),
        ("x" * 150, "x" * 97 + "..."),
    ],
)
def test_a_title_is_found_in_many_answers(answer: str, title: str) -> None:
    assert parse_title(answer, "What is the weather\nin Rome?") == title


@given(some.text(), some.text())
def test_a_title_is_one_line_of_at_most_a_hundred_characters(answer: str, query: str) -> None:
    title = parse_title(answer, query)
    assert len(title) <= 100 and "\n" not in title


@pytest.mark.parametrize(
    ("answer", "questions"),
    [
        ('["a?", "b?", "c?"]', ["a?", "b?", "c?"]),
        ('Sure:\n```json\n["a?", "b?", "c?", "d?"]\n```', ["a?", "b?", "c?"]),
        ('<think>["x"]</think>["a?", "", "a?", 3]', ["a?"]),
        ("1. a?\n2) b?\n- c?", ["a?", "b?", "c?"]),
        ("I cannot.", []),
        ("[broken", []),
        ("", []),
    ],
)
def test_suggestions_are_found_in_many_answers(answer: str, questions: list[str]) -> None:
    assert parse_suggestions(answer) == questions


@given(some.text('[]"{},.1- abc\n'))
def test_any_answer_gives_at_most_three_suggestions(answer: str) -> None:
    found = parse_suggestions(answer)
    assert len(found) <= 3 and all(question.strip() for question in found)


def test_the_title_prompt_keeps_long_questions_short() -> None:
    system, user = title_prompt("a" * 5000)
    assert "100 characters" in system.text and len(user.text) < 2100


def test_the_suggestion_prompt_holds_the_last_turns() -> None:
    turns = [HistoryTurn(f"q{n}", f"a{n}") for n in range(5)]
    system, user = suggestion_prompt(turns)
    assert "JSON array" in system.text
    assert user.text.splitlines()[0] == "User: q2" and user.text.endswith("Assistant: a4")
