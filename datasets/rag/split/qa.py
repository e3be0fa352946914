# ruff: noqa: RUF001  the wide punctuation is meant
"""Questions and answers: from columns, from text that is written that way, or from a model that reads each passage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from datasets.rag.extract.base import Page
from difyproj.kernel.errors import InvalidParam

from .lengths import Lengths
from .piece import Counter, Piece, Span, Window, windows
from .rule import Rule

Ask = Callable[[str], Iterable[tuple[str, str]]]
"""Questions that a passage answers, and the answers."""

QUESTIONS: Final = frozenset({"question", "questions", "q", "问题", "問題", "质问", "質問", "问", "問"})
ANSWERS: Final = frozenset({"answer", "answers", "a", "答案", "回答", "答"})
_LABEL: Final = re.compile(
    r"[ \t]{0,8}(?:\*\*|#{1,6}[ \t]+)?(?:(q|question|问|問|问题|問題|質問)|(?:a|answer|答|答案|回答))"
    r"[ \t]?\d{0,6}[ \t]?[:：](?:\*\*)?[ \t]*",
    re.IGNORECASE,
)
_CELL: Final = re.compile(r"(?<!\\)\|")
_BREAK: Final = re.compile(r"<br ?/?>")


def pieces(pages: Iterable[Page], rule: Rule, count: Counter, ask: Ask | None = None) -> Iterator[Piece]:
    """Raises InvalidParam where there are neither questions nor somebody to ask."""
    columns: tuple[int, int] | None = None
    for window in windows(pages):
        columns = columns or _columns(window.text)
        found = [*(_rows(window, *columns) if columns else _labelled(window))]
        if not found and ask is not None:
            found = [*_asked(window, rule, count, ask)]
        if not found and ask is None:
            raise InvalidParam(
                "The document holds no questions and answers: no columns named question and answer, no lines with Q: and A:.",
                params="doc_form",
            )
        yield from found


def _asked(window: Window, rule: Rule, count: Counter, ask: Ask) -> Iterator[Piece]:
    for span in Lengths(count, rule.segmentation.max_tokens).spans(window.text):
        text = window.text[span.start : span.end].strip()
        for question, answer in ask(text) if text else ():
            yield from _pair(window, span.start, span.end, question, answer)


def _columns(text: str) -> tuple[int, int] | None:
    """Where the questions and the answers stand in the first table that has both."""
    for line in text.splitlines():
        if line.startswith("|"):
            names = [cell.lower() for cell in _cells(line)]
            questions = [at for at, name in enumerate(names) if name in QUESTIONS]
            answers = [at for at, name in enumerate(names) if name in ANSWERS]
            if questions and answers:
                return questions[0], answers[0]
    return None


def _rows(window: Window, question: int, answer: int) -> Iterator[Piece]:
    at = 0
    for line in window.text.splitlines(keepends=True):
        if line.startswith("|"):
            cells = _cells(line)
            told = max(question, answer) < len(cells)
            if told and cells[question].lower() not in QUESTIONS and cells[question].strip("-: "):
                yield from _pair(window, at, at + len(line), cells[question], cells[answer])
        at += len(line)


def _cells(line: str) -> list[str]:
    cells = _CELL.split(line.strip())[1:-1]
    return [_BREAK.sub("\n", cell.replace("\\|", "|")).strip() for cell in cells]


def _labelled(window: Window) -> Iterator[Piece]:
    """Lines ``Q:`` and ``A:``; what follows one of them belongs to it."""
    told: tuple[list[str], list[str]] | None = None
    begin, at, is_answer = 0, 0, False
    for line in window.text.splitlines(keepends=True):
        label = _LABEL.match(line)
        if label is not None and label[1]:
            if told:
                yield from _pair(window, begin, at, "".join(told[0]), "".join(told[1]))
            told, begin, is_answer = ([line[label.end() :]], []), at, False
        elif label is not None and told:
            is_answer = True
            told[1].append(line[label.end() :])
        elif told:
            told[is_answer].append(line)
        at += len(line)
    if told:
        yield from _pair(window, begin, at, "".join(told[0]), "".join(told[1]))


def _pair(window: Window, start: int, end: int, question: str, answer: str) -> Iterator[Piece]:
    question, answer = question.strip(), answer.strip()
    if question and answer and (piece := window.piece(Span(start, end), content=question, answer=answer)):
        yield piece
