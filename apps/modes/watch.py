"""Watches read an answer while it streams and say when it must not go on."""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Protocol

from workflows.engine.ports import ModelPort

WINDOW: Final = 100


class Watch(Protocol):
    """``feed`` takes new text and gives back what may be shown now; ``flagged`` turns true for good."""

    flagged: bool

    def feed(self, text: str) -> str: ...

    def release(self) -> str:
        """Text that was held back and may go now."""

    async def last_look(self) -> bool:
        """Check what is left at the end of the answer; true when it is flagged."""

    async def close(self) -> None:
        """Let go of a check that is still under way."""


class KeywordWatch:
    """Finds keywords without regard to case, also when chunk borders cut them.

    Text at the end that may be the beginning of a keyword is held back, so that no part of one is shown. No other text is
    ever looked at twice.
    """

    def __init__(self, words: tuple[str, ...]) -> None:
        self._keywords = _compiled(words)
        self._tail = ""
        self._held = ""
        self.flagged = False

    def finds(self, text: str) -> bool:
        return self._keywords is not None and self._keywords.pattern.search(text) is not None

    def feed(self, text: str) -> str:
        if self._keywords is None:
            return text
        window = self._tail + text
        if self._keywords.pattern.search(window):
            self.flagged = True
            return ""
        self._tail = self._keywords.beginning_at_end(window)
        if not self._tail and not self._held:
            return text
        out = self._held + text
        shown = max(len(out) - len(self._tail), 0)
        self._held = out[shown:]
        return out[:shown]

    def release(self) -> str:
        held, self._held = self._held, ""
        return held

    async def last_look(self) -> bool:
        return self.flagged

    async def close(self) -> None:
        return


class _Keywords:
    """What a list of keywords is looked for with; linear in their length."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.pattern = re.compile("|".join(_alternatives(words)), re.IGNORECASE)
        self._lower = sorted({word.lower() for word in words})
        self._firsts = frozenset(word[0] for word in self._lower)
        self._longest = max(map(len, words)) - 1

    def beginning_at_end(self, text: str) -> str:
        """The longest end of ``text`` that a keyword begins with and does not end with."""
        for start in range(max(len(text) - self._longest, 0), len(text)):
            if text[start].lower()[0] in self._firsts and self._goes_on(text[start:].lower()):
                return text[start:]
        return ""

    def _goes_on(self, beginning: str) -> bool:
        at = bisect_right(self._lower, beginning)
        return at < len(self._lower) and self._lower[at].startswith(beginning)


def _alternatives(words: tuple[str, ...]) -> Iterator[str]:
    """By first character: a text's character is compared with each of these once, not with each keyword."""
    groups: dict[str, list[str]] = {}
    for word in words:
        groups.setdefault(word[0].lower(), []).append(word)
    for group in groups.values():
        yield re.escape(group[0][0]) + "(?:" + "|".join(re.escape(word[1:]) for word in group) + ")"


@lru_cache(maxsize=1024)
def _compiled(words: tuple[str, ...]) -> _Keywords | None:
    return _Keywords(words) if words else None


class ModelWatch:
    """Asks the tenant's moderation model about every hundred characters, while the text goes on, and at the end.

    Windows overlap by half, so that a phrase on a border is seen whole. One question is under way at a time.
    """

    def __init__(self, models: ModelPort) -> None:
        self._models = models
        self._fresh = ""
        self._before = ""
        self._asked: asyncio.Task[bool] | None = None
        self.flagged = False

    def feed(self, text: str) -> str:
        self._fresh += text
        if self._asked is not None and self._asked.done():
            self.flagged = self._asked.result()
            self._asked = None
        if self._asked is None and len(self._fresh) >= WINDOW:
            self._ask()
        return "" if self.flagged else text

    def release(self) -> str:
        return ""

    async def last_look(self) -> bool:
        if self._asked is not None:
            self.flagged = await self._asked
            self._asked = None
        if not self.flagged and self._fresh.strip():
            self.flagged = await self._models.moderate(self._before + self._fresh)
            self._fresh = ""
        return self.flagged

    async def close(self) -> None:
        if self._asked is not None:
            self._asked.cancel()
            await asyncio.gather(self._asked, return_exceptions=True)

    def _ask(self) -> None:
        window = self._before + self._fresh
        self._before, self._fresh = window[-WINDOW // 2 :], ""
        self._asked = asyncio.ensure_future(self._question(window))

    async def _question(self, text: str) -> bool:
        return await self._models.moderate(text)
