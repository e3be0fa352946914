# ruff: noqa: RUF001  the wide punctuation is meant
"""Cleaning: what is no text always goes, the rest as the rule says. Lines of pages keep their places."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from datasets.rag.extract.base import Line, Page
from datasets.rag.words import STOP_WORDS

from .rule import Rule

_STRANGE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\ufeff\u200b]")
_NEW_LINES: Final = re.compile(r"\n{3,}")
_SPACES: Final = re.compile("[\t\r \u00a0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000]{2,}")
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,190}")
_URL: Final = re.compile(r"""https?://[^\s<>"'）」】)\]]+""")
# A link of Markdown stays what it is: its address is no text.
_LINK: Final = re.compile(r"(!?\[[^\[\]\n]{0,500}\]\()https?://[^\s)]{1,2000}\)")
_WORD: Final = re.compile(r"(?<![\w'-])[A-Za-z]{1,10}(?![\w'-])[ \t]?")

Replacement = str | Callable[[re.Match[str]], str]


def clean(pages: Iterable[Page], rule: Rule) -> Iterator[Page]:
    """The pages that still say something."""
    steps = [*_steps(rule)]
    for page in pages:
        text, lines = page.text, page.lines
        for pattern, replacement in steps:
            text, lines = _replaced(text, lines, pattern, replacement)
        if text.strip():
            yield Page(page.number, text, page.label, lines, page.after, page.is_markdown)


def _steps(rule: Rule) -> Iterator[tuple[re.Pattern[str], Replacement]]:
    yield _STRANGE, ""
    if "remove_urls_emails" in rule.cleaners:
        yield _EMAIL, ""
        yield re.compile(f"{_LINK.pattern}|{_URL.pattern}"), lambda found: found[0] if found[1] else ""
    if "remove_stopwords" in rule.cleaners:
        yield _WORD, lambda found: "" if found[0].strip().lower() in STOP_WORDS else found[0]
    if "remove_extra_spaces" in rule.cleaners:
        yield _NEW_LINES, "\n\n"
        yield _SPACES, " "


def _replaced(
    text: str, lines: tuple[Line, ...], pattern: re.Pattern[str], replacement: Replacement
) -> tuple[str, tuple[Line, ...]]:
    if not lines:
        return pattern.sub(replacement, text), lines
    pieces: list[str] = []
    # After each replaced stretch: where it ended, and by how much what follows has moved.
    ends, moves = [0], [0]
    at = 0
    for found in pattern.finditer(text):
        new = replacement if isinstance(replacement, str) else replacement(found)
        pieces += (text[at : found.start()], new)
        at = found.end()
        ends.append(at)
        moves.append(moves[-1] + len(new) - (at - found.start()))
    if not pieces:
        return text, lines
    made = "".join([*pieces, text[at:]])

    def moved(offset: int) -> int:
        return min(max(offset + moves[bisect_right(ends, offset) - 1], 0), len(made))

    return made, tuple(Line(moved(line.start), moved(line.end), line.x0, line.y0, line.x1, line.y1) for line in lines)
